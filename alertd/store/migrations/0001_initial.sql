-- Instants are microseconds since 1970-01-01T00:00Z, hours are hours since then, amounts are in 1e-10 USD.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    content TEXT NOT NULL
);

CREATE TABLE series (
    id BIGINT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    category TEXT NOT NULL,
    subcategory TEXT NOT NULL,
    owner TEXT NOT NULL,
    product TEXT NOT NULL,
    product_id TEXT NOT NULL,
    billing_method TEXT NOT NULL
);

-- What is known of one category of one account, without its hours.
CREATE TABLE book (
    account TEXT NOT NULL,
    category TEXT NOT NULL,
    covered TEXT NOT NULL,
    failed TEXT NOT NULL,
    suspicions TEXT NOT NULL,
    read_at BIGINT,
    error TEXT NOT NULL,
    failed_at BIGINT,
    deep_read_at BIGINT,
    full_read_at BIGINT,
    PRIMARY KEY (account, category)
);

-- The sum of an hour may need more than 64 bits, so it is text. The block comes last: reading the columns before it
-- does not touch the pages that hold it. (In SQLite a table WITHOUT ROWID does touch them: 120 ms instead of 13 ms.)
CREATE TABLE bill_hour (
    account TEXT NOT NULL,
    category TEXT NOT NULL,
    hour BIGINT NOT NULL,
    end_hour BIGINT NOT NULL,
    total TEXT NOT NULL,
    has_credit BIGINT NOT NULL,
    digest $blob NOT NULL,
    block $blob NOT NULL,
    PRIMARY KEY (account, category, hour),
    FOREIGN KEY (account, category) REFERENCES book (account, category)
);

CREATE TABLE monthly_bill (
    account TEXT NOT NULL,
    bill_id TEXT NOT NULL,
    bill TEXT NOT NULL,
    phases TEXT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    PRIMARY KEY (account, bill_id)
);

-- The latest episode of each alert. `body` is the whole of it; the other columns repeat what is searched for.
CREATE TABLE alert (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    rule TEXT NOT NULL,
    type TEXT NOT NULL,
    account TEXT NOT NULL,
    state TEXT NOT NULL,
    severity BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    fired_at BIGINT,
    resolved_at BIGINT,
    told_at BIGINT,
    body TEXT NOT NULL
);
CREATE INDEX alert_state ON alert (state);

CREATE TABLE alert_event (
    id $identity,
    fingerprint TEXT NOT NULL,
    episode BIGINT NOT NULL,
    happened_at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX alert_event_fingerprint ON alert_event (fingerprint, id);
CREATE INDEX alert_event_happened_at ON alert_event (happened_at);

CREATE TABLE outbox (
    id $identity,
    delivery_key TEXT NOT NULL UNIQUE,
    receiver TEXT NOT NULL,
    recipient TEXT NOT NULL,
    group_name TEXT NOT NULL,
    fingerprints TEXT NOT NULL,
    message TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    unknowns BIGINT NOT NULL,
    first_attempt_at BIGINT,
    started_at BIGINT,
    finished_at BIGINT,
    is_plain BIGINT NOT NULL,
    fallback_sent BIGINT NOT NULL,
    ref TEXT NOT NULL,
    error TEXT NOT NULL,
    folded_into BIGINT REFERENCES outbox (id) ON DELETE SET NULL
);
CREATE INDEX outbox_state ON outbox (state, receiver);
CREATE INDEX outbox_group ON outbox (receiver, recipient, group_name, state);
CREATE INDEX outbox_folded_into ON outbox (folded_into);

-- Which alerts an entry tells of: `outbox.fingerprints`, to search by.
CREATE TABLE outbox_alert (
    fingerprint TEXT NOT NULL,
    entry_id BIGINT NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    PRIMARY KEY (fingerprint, entry_id)
);
CREATE INDEX outbox_alert_entry ON outbox_alert (entry_id);

CREATE TABLE attempt (
    entry_id BIGINT NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (entry_id, number)
);

CREATE TABLE cycle (
    id $identity,
    started_at BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    is_ok BIGINT NOT NULL,
    summary TEXT NOT NULL
);

-- Notifications withheld on somebody's word. `body` is the whole of it.
CREATE TABLE silence (
    id TEXT NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL,
    ends_at BIGINT,
    expired_at BIGINT,
    body TEXT NOT NULL
);

-- Spend by API key: a second view of money that stands in the tables above already, so in tables of its own.
CREATE TABLE key_series (
    id BIGINT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    category TEXT NOT NULL,
    subcategory TEXT NOT NULL,
    owner TEXT NOT NULL,
    product TEXT NOT NULL,
    product_id TEXT NOT NULL,
    billing_method TEXT NOT NULL
);

CREATE TABLE key_book (
    account TEXT NOT NULL,
    category TEXT NOT NULL,
    covered TEXT NOT NULL,
    failed TEXT NOT NULL,
    suspicions TEXT NOT NULL,
    read_at BIGINT,
    error TEXT NOT NULL,
    failed_at BIGINT,
    deep_read_at BIGINT,
    full_read_at BIGINT,
    PRIMARY KEY (account, category)
);

CREATE TABLE key_bill_hour (
    account TEXT NOT NULL,
    category TEXT NOT NULL,
    hour BIGINT NOT NULL,
    end_hour BIGINT NOT NULL,
    total TEXT NOT NULL,
    has_credit BIGINT NOT NULL,
    digest $blob NOT NULL,
    block $blob NOT NULL,
    PRIMARY KEY (account, category, hour),
    FOREIGN KEY (account, category) REFERENCES key_book (account, category)
);

CREATE TABLE api_key (
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,
    name TEXT NOT NULL,
    mask TEXT NOT NULL,
    PRIMARY KEY (account, key_id)
);

CREATE TABLE balance (
    account TEXT NOT NULL,
    read_at BIGINT NOT NULL,
    available BIGINT NOT NULL,
    cash BIGINT,
    credit_limit BIGINT,
    outstanding BIGINT,
    PRIMARY KEY (account, read_at)
);
