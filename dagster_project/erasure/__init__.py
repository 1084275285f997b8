"""Erasure: forgetting persons in every file of the warehouse, and not landing them again.

Add here what it takes to forget. What a company's own systems hold stays theirs: landing withholds
it.
"""
