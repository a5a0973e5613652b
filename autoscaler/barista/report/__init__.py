"""Reports: plots and a self-contained HTML page of what a run did and what it cost."""
