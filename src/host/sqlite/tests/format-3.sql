PRAGMA application_id = 1129661778;
PRAGMA user_version = 3;
CREATE TABLE nodes (
    node  INTEGER PRIMARY KEY,
    id    TEXT NOT NULL UNIQUE,          -- the place on the circle
    mark  INTEGER NOT NULL DEFAULT 0,    -- no stamp of the node is above, in milliseconds
    alive INTEGER NOT NULL DEFAULT 0,    -- when it was last known to be running, in milliseconds
    forgotten INTEGER NOT NULL DEFAULT 0, -- the latest deletion that all have forgotten
    held  TEXT,                          -- from where on it held all that was acknowledged
    scrubbed TEXT                        -- the key that was read last to see whether it has rotted
) STRICT;
CREATE TABLE records (
    record INTEGER PRIMARY KEY,
    node   INTEGER NOT NULL REFERENCES nodes,
    key    TEXT NOT NULL,                -- where the key lies on the circle
    digest TEXT NOT NULL,                -- of all fields; the checksum
    UNIQUE (node, key)
) STRICT;
CREATE TABLE fields (
    record   INTEGER NOT NULL REFERENCES records,
    name     TEXT NOT NULL,
    stamp    TEXT NOT NULL,              -- milliseconds.counter@node of who wrote it
    replaces TEXT,                       -- the stamp found there by who wrote it
    expires  INTEGER,                    -- in milliseconds since 1970
    value    BLOB,                       -- none: deleted, or expired
    UNIQUE (record, name)
) STRICT;
CREATE TABLE aside (
    node     INTEGER NOT NULL REFERENCES nodes,
    alive    INTEGER NOT NULL,           -- when the node was last known to be running before
    key      TEXT NOT NULL,
    name     TEXT NOT NULL,
    stamp    TEXT NOT NULL,
    replaces TEXT,
    expires  INTEGER,
    value    BLOB
) STRICT;
CREATE VIEW contents AS
SELECT nodes.id AS node,
       records.key AS key,
       fields.name AS name,
       fields.value AS value,
       datetime(CAST(fields.stamp AS INTEGER) / 1000, 'unixepoch') AS written,
       fields.stamp AS stamp,
       datetime(fields.expires / 1000, 'unixepoch') AS expires
FROM nodes JOIN records USING (node) JOIN fields USING (record);
INSERT INTO nodes VALUES (1, '8735ceedee9d29b2959a1c19ddbad656c271a5b9', 1700000001000, 1700000000000, 1600000000000, '2b020927d3c6eb407223a1baa3d6ce3597a3f88d', 'a7afddb68260a60f86c02a021efba7f216c2e7cf');
INSERT INTO nodes VALUES (2, '0ac953d24e3dca913a56aa02be2a9a008bbeeb7e', 1700000001000, 1700000000000, 1600000000000, '2b020927d3c6eb407223a1baa3d6ce3597a3f88d', 'a7afddb68260a60f86c02a021efba7f216c2e7cf');
INSERT INTO records VALUES (1, 1, 'bf8b4530d8d246dd74ac53a13471bba17941dff7', '76edd8d9b30f2c10495a7207c40149a98e30c4ed');
INSERT INTO records VALUES (2, 1, 'ac9231da4082430afe8f4d40127814c613648d8e', '7bff5c955eb22c8c2548f5a4d0489a800a2b882b');
INSERT INTO records VALUES (3, 2, 'ac9231da4082430afe8f4d40127814c613648d8e', '7bff5c955eb22c8c2548f5a4d0489a800a2b882b');
INSERT INTO fields VALUES (1, '', '1.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', NULL, NULL, X'6F6C64');
INSERT INTO fields VALUES (2, '', '1.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', NULL, NULL, X'6C61206C61');
INSERT INTO fields VALUES (2, 'bytes', '2.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', '1.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', -1, X'0027FF');
INSERT INTO fields VALUES (2, 'deleted', '18446744073709551615.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', '2.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', NULL, NULL);
INSERT INTO fields VALUES (2, 'empty', '4.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', NULL, NULL, X'');
INSERT INTO fields VALUES (2, 'it''s over', '3.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', NULL, 1800000000000, NULL);
INSERT INTO fields VALUES (3, '', '1.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', NULL, NULL, X'6C61206C61');
INSERT INTO fields VALUES (3, 'bytes', '2.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', '1.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', -1, X'0027FF');
INSERT INTO fields VALUES (3, 'deleted', '18446744073709551615.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', '2.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', NULL, NULL);
INSERT INTO fields VALUES (3, 'empty', '4.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', NULL, NULL, X'');
INSERT INTO fields VALUES (3, 'it''s over', '3.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', NULL, 1800000000000, NULL);
INSERT INTO aside VALUES (2, 1700000000000, 'c4ea21bb365bbeeaf5f2c654883e56d11e43c44e', '', '1.7@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8', NULL, NULL, X'6F6C64');
