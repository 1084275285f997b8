"""Orchestration of Clientela: what is built, when, from what, and where it goes.

Add here what needs Dagster, dbt or the warehouse. Statistics live in models_py and business SQL in
dbt.
"""
