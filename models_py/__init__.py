"""Pure statistics of Clientela: lifetime value, segmentation, simulation with known truth.

Add here what can be written as a function of data frames, settings, an `as_of_date` and a
`random_state`.
Orchestration, SQL and anything that knows a path, a clock or a connection belongs in
`dagster_project` and `dbt`.
"""
