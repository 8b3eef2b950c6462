"""Rails migrations, read and applied without Ruby.

files -> syntax -> reader: what stands in db/migrate, as values, or refused with file and line;
inversion: what undoes it; schema: doing it, with Alembic; migrator: which, in what order, and what is printed.
"""
