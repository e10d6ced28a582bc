"""What an agent learns from: replay buffers that keep costs."""
