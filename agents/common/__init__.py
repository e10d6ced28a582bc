"""What the algorithms share: buffers, critics, the Gaussian actor, callbacks."""
