-- What a site's line test found: true where it works, false where it does not, null where it was not tried.
ALTER TABLE check_ins ADD COLUMN picture boolean;
ALTER TABLE check_ins ADD COLUMN sound boolean;
ALTER TABLE check_ins ADD COLUMN backup boolean;
ALTER TABLE check_ins ADD CONSTRAINT check_ins_tested
    CHECK (kind = 'test' OR (picture IS NULL AND sound IS NULL AND backup IS NULL));
