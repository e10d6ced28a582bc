"""The paper's tables beside ours: records of runs in, tables, figure, claims and page out."""
