-- Subscriptions: fixed terms that were bought. `term` is the whole of each; the other columns repeat what is searched for.
CREATE TABLE term (
    id $identity,
    account $text NOT NULL,
    bought_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    term $text NOT NULL
);
CREATE INDEX term_bought ON term (account, bought_at);
