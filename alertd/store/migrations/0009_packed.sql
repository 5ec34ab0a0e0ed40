-- Blocks of bill_hour may be packed, which alertd could not read before; those that are there stay as they are.
UPDATE meta SET content = content WHERE name = 'schema_version';
