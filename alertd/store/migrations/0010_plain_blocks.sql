-- Blocks are packed already: PostgreSQL took as long to compress them in vain as to store them.
$server_only ALTER TABLE bill_hour ALTER COLUMN block SET STORAGE EXTERNAL;
$server_only ALTER TABLE key_bill_hour ALTER COLUMN block SET STORAGE EXTERNAL;
UPDATE meta SET content = content WHERE name = 'schema_version';
