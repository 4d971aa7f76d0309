"""What runs in the child process: it looks at bytes nobody trusts, behind a fence.

Nothing here may import the rest of the portal: the child knows no settings, no secrets and no database.
"""
