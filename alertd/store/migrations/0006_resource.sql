-- Instances and serverless endpoints. `body` is the whole of each; the other columns repeat what is searched for.
CREATE TABLE resource (
    account $text NOT NULL,
    id $text NOT NULL,
    gone_at BIGINT,
    body $text NOT NULL,
    PRIMARY KEY (account, id)
);
