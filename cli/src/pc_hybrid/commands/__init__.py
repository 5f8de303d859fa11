"""What can be typed: names, options and help. The work is in pc_hybrid.work, imported when a command runs.

Nothing here may import the client, or --help would wait for it.
"""
