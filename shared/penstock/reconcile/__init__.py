"""Sources and targets compared by listing, and brought into agreement: what notifications lost."""
