"""Reading and writing tables: CSV and XLSX with a header row in English or Vietnamese."""

from bridgemgr.tables.batch import Chunk, Findings
from bridgemgr.tables.reading import Table, read_table
from bridgemgr.tables.spec import Column, TableSpec
from bridgemgr.tables.specs import TABLES
from bridgemgr.tables.times import localise, parse_time
from bridgemgr.tables.writing import Sheet, write_csv, write_xlsx

__all__ = [
    "TABLES",
    "Chunk",
    "Column",
    "Findings",
    "Sheet",
    "Table",
    "TableSpec",
    "localise",
    "parse_time",
    "read_table",
    "write_csv",
    "write_xlsx",
]
