"""The key of a record, which every table of a linkage carries.

Add here names of columns that more than one module of this package uses.
Columns of one table only stay with the module that makes it.
"""

RECORD_KEY = ["source_system", "source_record_id"]
