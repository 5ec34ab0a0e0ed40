-- How busy instances are: of each hour the five minutes that were sampled, JSON pairs of slot and share in millionths.
CREATE TABLE utilization (
    account $text NOT NULL,
    owner $text NOT NULL,
    hour BIGINT NOT NULL,
    slots $text NOT NULL,
    PRIMARY KEY (account, owner, hour)
);
