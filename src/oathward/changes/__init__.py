"""Changes of policy on their way: proposals, what is attached to them, who did what; files by digest."""
