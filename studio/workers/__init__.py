"""The only home of threads, child processes, timers and file watchers."""
