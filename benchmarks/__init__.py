"""Speed, measured: `python -m benchmarks --help`. Nothing here is a test of speed."""
