-- When rows came: one line for each stream (step 1: rows of up to an hour, 24: longer ones) and hour at which rows end,
-- of the last 14 days. `came` packs series and delay. And which read was the latest of each hour.
CREATE TABLE arrival (
    account $text NOT NULL,
    category $text NOT NULL,
    step BIGINT NOT NULL,
    end_hour BIGINT NOT NULL,
    came $blob NOT NULL,
    PRIMARY KEY (account, category, step, end_hour),
    FOREIGN KEY (account, category) REFERENCES book (account, category)
);

CREATE TABLE key_arrival (
    account $text NOT NULL,
    category $text NOT NULL,
    step BIGINT NOT NULL,
    end_hour BIGINT NOT NULL,
    came $blob NOT NULL,
    PRIMARY KEY (account, category, step, end_hour),
    FOREIGN KEY (account, category) REFERENCES key_book (account, category)
);

ALTER TABLE book ADD COLUMN reads $text NOT NULL DEFAULT '[]';
ALTER TABLE key_book ADD COLUMN reads $text NOT NULL DEFAULT '[]';

-- An alert has both ends of its value, and says which streams lag.
UPDATE alert SET body = replace(body, '"is_complete":', '"expected":null,"lagging":[],"is_window":true,"is_complete":');
