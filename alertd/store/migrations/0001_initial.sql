-- Instants are microseconds since 1970-01-01T00:00Z, hours are hours since then, amounts are in 1e-10 USD.

CREATE TABLE meta (
    name $text NOT NULL PRIMARY KEY,
    content $text NOT NULL
);

CREATE TABLE series (
    id BIGINT NOT NULL PRIMARY KEY,
    account $text NOT NULL,
    category $text NOT NULL,
    subcategory $text NOT NULL,
    owner $text NOT NULL,
    product $text NOT NULL,
    product_id $text NOT NULL,
    billing_method $text NOT NULL
);

-- What is known of one category of one account, without its hours.
CREATE TABLE book (
    account $text NOT NULL,
    category $text NOT NULL,
    covered $text NOT NULL,
    failed $text NOT NULL,
    suspicions $text NOT NULL,
    read_at BIGINT,
    error $text NOT NULL,
    failed_at BIGINT,
    deep_read_at BIGINT,
    full_read_at BIGINT,
    PRIMARY KEY (account, category)
);

-- The sum of an hour may need more than 64 bits, so it is text. The block comes last: reading the columns before it
-- does not touch the pages that hold it. (In SQLite a table WITHOUT ROWID does touch them: 120 ms instead of 13 ms.)
CREATE TABLE bill_hour (
    account $text NOT NULL,
    category $text NOT NULL,
    hour BIGINT NOT NULL,
    end_hour BIGINT NOT NULL,
    total $text NOT NULL,
    has_credit BIGINT NOT NULL,
    digest $blob NOT NULL,
    block $blob NOT NULL,
    PRIMARY KEY (account, category, hour),
    FOREIGN KEY (account, category) REFERENCES book (account, category)
);

CREATE TABLE monthly_bill (
    account $text NOT NULL,
    bill_id $text NOT NULL,
    bill $text NOT NULL,
    phases $text NOT NULL,
    last_seen_at BIGINT NOT NULL,
    PRIMARY KEY (account, bill_id)
);

-- The latest episode of each alert. `body` is the whole of it; the other columns repeat what is searched for.
CREATE TABLE alert (
    fingerprint $text NOT NULL PRIMARY KEY,
    rule $text NOT NULL,
    type $text NOT NULL,
    account $text NOT NULL,
    state $text NOT NULL,
    severity BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    fired_at BIGINT,
    resolved_at BIGINT,
    told_at BIGINT,
    body $text NOT NULL
);
CREATE INDEX alert_state ON alert (state);

CREATE TABLE alert_event (
    id $identity,
    fingerprint $text NOT NULL,
    episode BIGINT NOT NULL,
    happened_at BIGINT NOT NULL,
    kind $text NOT NULL,
    detail $text NOT NULL
);
CREATE INDEX alert_event_fingerprint ON alert_event (fingerprint, id);
CREATE INDEX alert_event_happened_at ON alert_event (happened_at);

CREATE TABLE outbox (
    id $identity,
    delivery_key $text NOT NULL UNIQUE,
    receiver $text NOT NULL,
    recipient $text NOT NULL,
    group_name $text NOT NULL,
    fingerprints $text NOT NULL,
    message $text NOT NULL,
    state $text NOT NULL,
    created_at BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    unknowns BIGINT NOT NULL,
    first_attempt_at BIGINT,
    started_at BIGINT,
    finished_at BIGINT,
    is_plain BIGINT NOT NULL,
    fallback_sent BIGINT NOT NULL,
    ref $text NOT NULL,
    error $text NOT NULL,
    folded_into BIGINT REFERENCES outbox (id) ON DELETE SET NULL
);
CREATE INDEX outbox_state ON outbox (state, receiver);
CREATE INDEX outbox_group ON outbox (receiver, recipient, group_name, state);
CREATE INDEX outbox_folded_into ON outbox (folded_into);

-- Which alerts an entry tells of: `outbox.fingerprints`, to search by.
CREATE TABLE outbox_alert (
    fingerprint $text NOT NULL,
    entry_id BIGINT NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    PRIMARY KEY (fingerprint, entry_id)
);
CREATE INDEX outbox_alert_entry ON outbox_alert (entry_id);

CREATE TABLE attempt (
    entry_id BIGINT NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    outcome $text NOT NULL,
    detail $text NOT NULL,
    PRIMARY KEY (entry_id, number)
);

CREATE TABLE cycle (
    id $identity,
    started_at BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    is_ok BIGINT NOT NULL,
    summary $text NOT NULL
);

-- Notifications withheld on somebody's word. `body` is the whole of it.
CREATE TABLE silence (
    id $text NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL,
    ends_at BIGINT,
    expired_at BIGINT,
    body $text NOT NULL
);

-- Spend by API key: a second view of money that stands in the tables above already, so in tables of its own.
CREATE TABLE key_series (
    id BIGINT NOT NULL PRIMARY KEY,
    account $text NOT NULL,
    category $text NOT NULL,
    subcategory $text NOT NULL,
    owner $text NOT NULL,
    product $text NOT NULL,
    product_id $text NOT NULL,
    billing_method $text NOT NULL
);

CREATE TABLE key_book (
    account $text NOT NULL,
    category $text NOT NULL,
    covered $text NOT NULL,
    failed $text NOT NULL,
    suspicions $text NOT NULL,
    read_at BIGINT,
    error $text NOT NULL,
    failed_at BIGINT,
    deep_read_at BIGINT,
    full_read_at BIGINT,
    PRIMARY KEY (account, category)
);

CREATE TABLE key_bill_hour (
    account $text NOT NULL,
    category $text NOT NULL,
    hour BIGINT NOT NULL,
    end_hour BIGINT NOT NULL,
    total $text NOT NULL,
    has_credit BIGINT NOT NULL,
    digest $blob NOT NULL,
    block $blob NOT NULL,
    PRIMARY KEY (account, category, hour),
    FOREIGN KEY (account, category) REFERENCES key_book (account, category)
);

CREATE TABLE api_key (
    account $text NOT NULL,
    key_id $text NOT NULL,
    name $text NOT NULL,
    mask $text NOT NULL,
    PRIMARY KEY (account, key_id)
);

CREATE TABLE balance (
    account $text NOT NULL,
    read_at BIGINT NOT NULL,
    available BIGINT NOT NULL,
    cash BIGINT,
    credit_limit BIGINT,
    outstanding BIGINT,
    PRIMARY KEY (account, read_at)
);
