"""What people see on a terminal and find as a file: lines, tables, progress, exit codes."""
