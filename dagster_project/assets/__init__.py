"""The assets, one module a room or model family.

Add a module when a new family of tables is written by Python. Assembly into jobs and checks over
several assets stay out.
"""
