-- What people asked to have done about alerts. `body` is the whole of each; the other columns repeat what is searched
-- for. Of one instance only one request is open: no two processes may have it stopped twice.
CREATE TABLE action_request (
    id $text NOT NULL PRIMARY KEY,
    fingerprint $text NOT NULL,
    account $text NOT NULL,
    owner $text NOT NULL,
    state $text NOT NULL,
    requested_at BIGINT NOT NULL,
    finished_at BIGINT,
    body $text NOT NULL
);
CREATE INDEX action_request_requested_at ON action_request (requested_at);
CREATE UNIQUE INDEX action_request_open ON action_request (account, owner) WHERE finished_at IS NULL;
