"""The store: SQLite or Postgres, by SQLAlchemy Core. Tables, and one module of functions per noun."""
