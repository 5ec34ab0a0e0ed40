BEGIN TRANSACTION;
CREATE TABLE action_request (
    id TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    account TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    finished_at BIGINT,
    body TEXT NOT NULL
);
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
    notified_at BIGINT,
    body TEXT NOT NULL
);
INSERT INTO "alert" VALUES('58c6f7344ccf0e27','gpu','rolling_spend','default','resolved',2,1768046720319247,1768046720319247,1768154712316677,1768154712316677,'{"fingerprint":"58c6f7344ccf0e27","rule":"gpu","type":"rolling_spend","account":"default","group":[["owner","gpu-0"]],"labels":[["owner","gpu-0"]],"headline":"gpu-0 spent $0.00 on gpu in 24h","episode":1,"state":"resolved","severity":2,"value":"0","threshold":"5","unit":"USD","as_of":"2026-01-11T18:00:00Z","expected":null,"lagging":[],"is_window":true,"is_complete":true,"started_at":"2026-01-10T12:05:20.319247Z","fired_at":"2026-01-10T12:05:20.319247Z","resolved_at":"2026-01-11T18:05:12.316677Z","condition_ended_at":null,"reason":"","rule_digest":"cf0986572e431602","peak":"9.0000000001","top":[],"table_note":"24h to 2026-01-11 18:00 UTC, against the 24h before","caveats":[],"facts":[],"url":"","period_start":null,"is_below":false,"billed":{"total":0,"notified":0,"held":90000000001,"since":490524,"through":491124,"counted_by":"cf0986572e431602"},"rate":null,"notified_at":"2026-01-11T18:05:12.316677Z","notified_value":"0","notified_as_of":"2026-01-11T18:00:00Z","corrected":"","notified_severity":2,"repeat_count":0,"notified_to":[["bridge",""]],"escalated_at":null,"acknowledged_by":null,"acknowledged_at":null,"muted":null}');
INSERT INTO "alert" VALUES('c039d74df0ababc6','by-key','rolling_spend','default','firing',3,1768154712316677,1768154712316677,NULL,1768154712316677,'{"fingerprint":"c039d74df0ababc6","rule":"by-key","type":"rolling_spend","account":"default","group":[["owner","key-7"]],"labels":[["owner_name","ci"],["owner","key-7"]],"headline":"ci (key-7) spent $8.50 in 24h","episode":1,"state":"firing","severity":3,"value":"8.5","threshold":"5","unit":"USD","as_of":"2026-01-11T18:00:00Z","expected":null,"lagging":[],"is_window":true,"is_complete":true,"started_at":"2026-01-11T18:05:12.316677Z","fired_at":"2026-01-11T18:05:12.316677Z","resolved_at":null,"condition_ended_at":null,"reason":"","rule_digest":"1bbb072ef6fe8df0","peak":"8.5","top":[{"owner":"key-7","product":"product","category":"llm","amount":85000000000,"before":0}],"table_note":"24h to 2026-01-11 18:00 UTC, against the 24h before","caveats":[],"facts":[],"url":"","period_start":null,"is_below":false,"billed":{"total":0,"notified":0,"held":85000000000,"since":490554,"through":491154,"counted_by":"1bbb072ef6fe8df0"},"rate":{"per_hour":28333333333,"through":"2026-01-11T18:00:00Z","is_billed":false,"since":"2026-01-11T17:00:00Z","listed_since":null,"status":"","has_ended":false,"hardware":"","period_ends_at":null},"notified_at":"2026-01-11T18:05:12.316677Z","notified_value":"8.5","notified_as_of":"2026-01-11T18:00:00Z","corrected":"","notified_severity":3,"repeat_count":0,"notified_to":[["bridge",""]],"escalated_at":null,"acknowledged_by":null,"acknowledged_at":null,"muted":null}');
INSERT INTO "alert" VALUES('1c00c82c6fe2430d','gpu','rolling_spend','default','firing',2,1768154712316677,1768154712316677,NULL,1768154712316677,'{"fingerprint":"1c00c82c6fe2430d","rule":"gpu","type":"rolling_spend","account":"default","group":[["owner","gpu-1"]],"labels":[["owner","gpu-1"]],"headline":"gpu-1 spent $61.25 on gpu in 24h","episode":1,"state":"firing","severity":2,"value":"61.25","threshold":"5","unit":"USD","as_of":"2026-01-11T18:00:00Z","expected":null,"lagging":[],"is_window":true,"is_complete":true,"started_at":"2026-01-11T18:05:12.316677Z","fired_at":"2026-01-11T18:05:12.316677Z","resolved_at":null,"condition_ended_at":null,"reason":"","rule_digest":"cf0986572e431602","peak":"61.25","top":[{"owner":"gpu-1","product":"H100","category":"gpu","amount":612500000000,"before":0}],"table_note":"24h to 2026-01-11 18:00 UTC, against the 24h before","caveats":[],"facts":[],"url":"","period_start":null,"is_below":false,"billed":{"total":0,"notified":0,"held":612500000000,"since":490554,"through":491154,"counted_by":"cf0986572e431602"},"rate":{"per_hour":204166666666,"through":"2026-01-11T18:00:00Z","is_billed":false,"since":"2026-01-11T17:00:00Z","listed_since":null,"status":"","has_ended":false,"hardware":"","period_ends_at":null},"notified_at":"2026-01-11T18:05:12.316677Z","notified_value":"61.25","notified_as_of":"2026-01-11T18:00:00Z","corrected":"","notified_severity":2,"repeat_count":0,"notified_to":[["bridge",""]],"escalated_at":null,"acknowledged_by":"dana","acknowledged_at":"2026-01-11T18:05:22.710950Z","muted":null}');
INSERT INTO "alert" VALUES('7bd008bb19e6196a','gpu','rolling_spend','default','firing',2,1768154712316677,1768154712316677,NULL,NULL,'{"fingerprint":"7bd008bb19e6196a","rule":"gpu","type":"rolling_spend","account":"default","group":[["owner","gpu-2"]],"labels":[["owner","gpu-2"]],"headline":"gpu-2 spent $8.00 on gpu in 24h","episode":1,"state":"firing","severity":2,"value":"8","threshold":"5","unit":"USD","as_of":"2026-01-11T18:00:00Z","expected":null,"lagging":[],"is_window":true,"is_complete":true,"started_at":"2026-01-11T18:05:12.316677Z","fired_at":"2026-01-11T18:05:12.316677Z","resolved_at":null,"condition_ended_at":null,"reason":"","rule_digest":"cf0986572e431602","peak":"8","top":[{"owner":"gpu-2","product":"product","category":"gpu","amount":80000000000,"before":0}],"table_note":"24h to 2026-01-11 18:00 UTC, against the 24h before","caveats":[],"facts":[],"url":"","period_start":null,"is_below":false,"billed":{"total":0,"notified":0,"held":80000000000,"since":490554,"through":491154,"counted_by":"cf0986572e431602"},"rate":{"per_hour":26666666666,"through":"2026-01-11T18:00:00Z","is_billed":true,"since":"2026-01-11T17:00:00Z","listed_since":null,"status":"","has_ended":false,"hardware":"","period_ends_at":null},"notified_at":null,"notified_value":null,"notified_as_of":null,"corrected":"","notified_severity":null,"repeat_count":0,"notified_to":[],"escalated_at":null,"acknowledged_by":null,"acknowledged_at":null,"muted":{"kind":"silence","id":"f643aaad","by":"kim","until":"2026-04-11T18:05:03.717643Z","further":null,"comment":"run 12"}}');
INSERT INTO "alert" VALUES('23d90eb40276dd8c','low','balance','default','firing',2,1768154712316677,1768154712316677,NULL,1768154712316677,'{"fingerprint":"23d90eb40276dd8c","rule":"low","type":"balance","account":"default","group":[["account","default"]],"labels":[["account","default"]],"headline":"Balance of default is $96.00, enough for 3 d 8 h at the pace of the last 72h (runs out 2026-01-15 02:00 UTC)","episode":1,"state":"firing","severity":2,"value":"96","threshold":"100","unit":"USD","as_of":"2026-01-11T18:05:12.316677Z","expected":null,"lagging":[],"is_window":true,"is_complete":true,"started_at":"2026-01-11T18:05:12.316677Z","fired_at":"2026-01-11T18:05:12.316677Z","resolved_at":null,"condition_ended_at":null,"reason":"","rule_digest":"f1f1fefe6fb27b5c","peak":"96","top":[{"owner":"gpu-1","product":"H100","category":"gpu","amount":612500000000,"before":0},{"owner":"gpu-0","product":"product","category":"gpu","amount":90000000001,"before":0},{"owner":"key-7","product":"product","category":"llm","amount":85000000000,"before":0}],"table_note":"largest spend of the last 72h, against as long before","caveats":[],"facts":[["Available","$96.00"],["Cash","$46.00"],["Credit limit","$50.00"],["Spend per day","$28.58, the mean of the 72h billed through 2026-01-11 18:00 UTC"],["Reached by","available (warning at or below $100.00)"]],"url":"","period_start":null,"is_below":true,"billed":{"total":0,"notified":0,"held":960000000000,"since":0,"through":0,"counted_by":""},"rate":null,"notified_at":"2026-01-11T18:05:12.316677Z","notified_value":"96","notified_as_of":"2026-01-11T18:05:12.316677Z","corrected":"","notified_severity":2,"repeat_count":0,"notified_to":[["bridge",""]],"escalated_at":null,"acknowledged_by":null,"acknowledged_at":null,"muted":null}');
INSERT INTO "alert" VALUES('5183366cc0dcd8a7','overdue','monthly_bill','default','firing',2,1768154712316677,1768154712316677,NULL,1768154712316677,'{"fingerprint":"5183366cc0dcd8a7","rule":"overdue","type":"monthly_bill","account":"default","group":[["account","default"],["month","2025-12"],["bill_id","bill-2025-12"]],"labels":[["account","default"],["month","2025-12"],["bill_id","bill-2025-12"],["status","overdue"]],"headline":"Bill of 2025-12 (default) is overdue: $123.00 owed of $123.00","episode":1,"state":"firing","severity":2,"value":"0","threshold":"0","unit":"days","as_of":"2026-01-11T18:05:12.316677Z","expected":null,"lagging":[],"is_window":true,"is_complete":true,"started_at":"2026-01-11T18:05:12.316677Z","fired_at":"2026-01-11T18:05:12.316677Z","resolved_at":null,"condition_ended_at":null,"reason":"","rule_digest":"0ac5b0b404b152c3","peak":"0","top":[],"table_note":"","caveats":[],"facts":[["Owed","$123.00"],["Bill total","$123.00"],["Month","2025-12"],["Status","overdue"]],"url":"","period_start":null,"is_below":false,"billed":null,"rate":null,"notified_at":"2026-01-11T18:05:12.316677Z","notified_value":"0","notified_as_of":"2026-01-11T18:05:12.316677Z","corrected":"","notified_severity":2,"repeat_count":0,"notified_to":[["bridge",""]],"escalated_at":null,"acknowledged_by":null,"acknowledged_at":null,"muted":null}');
INSERT INTO "alert" VALUES('0cd8aa9876a589fc','slow','rolling_spend','default','pending',2,1768154712316677,NULL,NULL,NULL,'{"fingerprint":"0cd8aa9876a589fc","rule":"slow","type":"rolling_spend","account":"default","group":[],"labels":[],"headline":"Spend on gpu in 24h is $69.25","episode":1,"state":"pending","severity":2,"value":"69.25","threshold":"50","unit":"USD","as_of":"2026-01-11T18:00:00Z","expected":null,"lagging":[],"is_window":true,"is_complete":true,"started_at":"2026-01-11T18:05:12.316677Z","fired_at":null,"resolved_at":null,"condition_ended_at":null,"reason":"","rule_digest":"1bd52f88ed2dba06","peak":"69.25","top":[{"owner":"gpu-1","product":"H100","category":"gpu","amount":612500000000,"before":0},{"owner":"gpu-2","product":"product","category":"gpu","amount":80000000000,"before":0}],"table_note":"24h to 2026-01-11 18:00 UTC, against the 24h before","caveats":[],"facts":[],"url":"","period_start":null,"is_below":false,"billed":{"total":0,"notified":0,"held":782500000001,"since":490554,"through":491154,"counted_by":"1bd52f88ed2dba06"},"rate":{"per_hour":230833333333,"through":"2026-01-11T18:00:00Z","is_billed":true,"since":null,"listed_since":null,"status":"","has_ended":false,"hardware":"","period_ends_at":null},"notified_at":null,"notified_value":null,"notified_as_of":null,"corrected":"","notified_severity":null,"repeat_count":0,"notified_to":[],"escalated_at":null,"acknowledged_by":null,"acknowledged_at":null,"muted":null}');
CREATE TABLE alert_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL,
    episode BIGINT NOT NULL,
    happened_at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
);
INSERT INTO "alert_event" VALUES(1,'58c6f7344ccf0e27',1,1768046720319247,'moved','{"before":null,"after":{"state":"firing","severity":2},"value":"9.0000000001","unit":"USD","threshold":"5","expected":null,"is_below":false,"as_of":"2026-01-10T12:00:00Z","lagging":[],"is_complete":true,"reason":"","caveats":[]}');
INSERT INTO "alert_event" VALUES(2,'c039d74df0ababc6',1,1768154712316677,'moved','{"before":null,"after":{"state":"firing","severity":3},"value":"8.5","unit":"USD","threshold":"5","expected":null,"is_below":false,"as_of":"2026-01-11T18:00:00Z","lagging":[],"is_complete":true,"reason":"","caveats":[]}');
INSERT INTO "alert_event" VALUES(3,'1c00c82c6fe2430d',1,1768154712316677,'moved','{"before":null,"after":{"state":"firing","severity":2},"value":"61.25","unit":"USD","threshold":"5","expected":null,"is_below":false,"as_of":"2026-01-11T18:00:00Z","lagging":[],"is_complete":true,"reason":"","caveats":[]}');
INSERT INTO "alert_event" VALUES(4,'7bd008bb19e6196a',1,1768154712316677,'moved','{"before":null,"after":{"state":"firing","severity":2},"value":"8","unit":"USD","threshold":"5","expected":null,"is_below":false,"as_of":"2026-01-11T18:00:00Z","lagging":[],"is_complete":true,"reason":"","caveats":[]}');
INSERT INTO "alert_event" VALUES(5,'7bd008bb19e6196a',1,1768154712316677,'suppressed','{"muted":{"kind":"silence","id":"f643aaad","by":"kim","until":"2026-04-11T18:05:03.717643Z","further":null,"comment":"run 12"}}');
INSERT INTO "alert_event" VALUES(6,'58c6f7344ccf0e27',1,1768154712316677,'moved','{"before":{"state":"firing","severity":2},"after":{"state":"resolved","severity":null},"value":"0","unit":"USD","threshold":null,"expected":null,"is_below":false,"as_of":"2026-01-11T18:00:00Z","lagging":[],"is_complete":true,"reason":"","caveats":[]}');
INSERT INTO "alert_event" VALUES(7,'23d90eb40276dd8c',1,1768154712316677,'moved','{"before":null,"after":{"state":"firing","severity":2},"value":"96","unit":"USD","threshold":"100","expected":null,"is_below":true,"as_of":"2026-01-11T18:05:12.316677Z","lagging":[],"is_complete":true,"reason":"","caveats":[]}');
INSERT INTO "alert_event" VALUES(8,'5183366cc0dcd8a7',1,1768154712316677,'moved','{"before":null,"after":{"state":"firing","severity":2},"value":"0","unit":"days","threshold":"0","expected":null,"is_below":false,"as_of":"2026-01-11T18:05:12.316677Z","lagging":[],"is_complete":true,"reason":"","caveats":[]}');
INSERT INTO "alert_event" VALUES(9,'0cd8aa9876a589fc',1,1768154712316677,'moved','{"before":null,"after":{"state":"pending","severity":2},"value":"69.25","unit":"USD","threshold":"50","expected":null,"is_below":false,"as_of":"2026-01-11T18:00:00Z","lagging":[],"is_complete":true,"reason":"","caveats":[]}');
INSERT INTO "alert_event" VALUES(10,'1c00c82c6fe2430d',1,1768154722710950,'acknowledged','{"by":"dana"}');
CREATE TABLE api_key (
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,
    name TEXT NOT NULL,
    mask TEXT NOT NULL,
    PRIMARY KEY (account, key_id)
);
INSERT INTO "api_key" VALUES('default','key-7','ci','sk_-7**');
CREATE TABLE arrival (
    account TEXT NOT NULL,
    category TEXT NOT NULL,
    step BIGINT NOT NULL,
    end_hour BIGINT NOT NULL,
    came BLOB NOT NULL,
    PRIMARY KEY (account, category, step, end_hour),
    FOREIGN KEY (account, category) REFERENCES book (account, category)
);
INSERT INTO "arrival" VALUES('default','gpu',1,491123,X'010100000000000000FFFF');
INSERT INTO "arrival" VALUES('default','gpu',1,491153,X'010100000001000000FFFF');
INSERT INTO "arrival" VALUES('default','gpu',1,491154,X'010100000002000000FFFF');
INSERT INTO "arrival" VALUES('default','llm',1,491153,X'010100000003000000FFFF');
CREATE TABLE attempt (
    entry_id BIGINT NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (entry_id, number)
);
INSERT INTO "attempt" VALUES(1,1,1768046722852523,1768046722944162,'Delivered','');
INSERT INTO "attempt" VALUES(2,1,1768154714354665,1768154714462811,'Delivered','');
INSERT INTO "attempt" VALUES(3,1,1768154714509367,1768154714569155,'Delivered','');
INSERT INTO "attempt" VALUES(5,1,1768154714617241,1768154714732402,'Delivered','');
INSERT INTO "attempt" VALUES(6,1,1768154714745583,1768154714780860,'Delivered','');
INSERT INTO "attempt" VALUES(4,1,1768154714800944,1768154714877540,'Delivered','');
CREATE TABLE balance (
    account TEXT NOT NULL,
    read_at BIGINT NOT NULL,
    available BIGINT NOT NULL,
    cash BIGINT,
    credit_limit BIGINT,
    outstanding BIGINT,
    PRIMARY KEY (account, read_at)
);
INSERT INTO "balance" VALUES('default',1768046720319247,5000000000000,4500000000000,500000000000,NULL);
INSERT INTO "balance" VALUES('default',1768154712316677,960000000000,460000000000,500000000000,NULL);
CREATE TABLE bill_hour (
    account TEXT NOT NULL,
    category TEXT NOT NULL,
    hour BIGINT NOT NULL,
    end_hour BIGINT NOT NULL,
    total TEXT NOT NULL,
    has_credit BIGINT NOT NULL,
    digest BLOB NOT NULL,
    block BLOB NOT NULL,
    PRIMARY KEY (account, category, hour),
    FOREIGN KEY (account, category) REFERENCES book (account, category)
);
INSERT INTO "bill_hour" VALUES('default','gpu',491122,491123,'90000000001',0,X'CFF23C014CCC21DB79544B91BA9B37DD',X'0100010000000000000001046BF414000000');
INSERT INTO "bill_hour" VALUES('default','gpu',491152,491153,'612500000000',0,X'B3082E960D5114C5E2640FC202C83EF9',X'01000100000001000000004DD89B8E000000');
INSERT INTO "bill_hour" VALUES('default','gpu',491153,491154,'80000000000',0,X'BFFDCFBECA025245DD55A98B61980BA4',X'0102010000000200000000205FA01200000000E40B5402000000');
INSERT INTO "bill_hour" VALUES('default','llm',491152,491153,'85000000000',0,X'0E3A79C323095B36D14F263FB36EF2A3',X'01000100000003000000001265CA13000000');
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
    full_read_at BIGINT, reads TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (account, category)
);
INSERT INTO "book" VALUES('default','gpu','[[490392,491155]]','[]','{}',1768154712316677,'',NULL,1768154712316677,1768154712316677,'[[490392,490416,"2026-01-10T12:05:20.319247Z"],[490416,491155,"2026-01-11T18:05:12.316677Z"]]');
INSERT INTO "book" VALUES('default','llm','[[490392,491155]]','[]','{}',1768154712316677,'',NULL,1768154712316677,1768154712316677,'[[490392,490416,"2026-01-10T12:05:20.319247Z"],[490416,491155,"2026-01-11T18:05:12.316677Z"]]');
INSERT INTO "book" VALUES('default','serverless','[[490392,491155]]','[]','{}',1768154712316677,'',NULL,1768154712316677,1768154712316677,'[[490392,490416,"2026-01-10T12:05:20.319247Z"],[490416,491155,"2026-01-11T18:05:12.316677Z"]]');
INSERT INTO "book" VALUES('default','cloud_storage','[[490392,491155]]','[]','{}',1768154712316677,'',NULL,1768154712316677,1768154712316677,'[[490392,490416,"2026-01-10T12:05:20.319247Z"],[490416,491155,"2026-01-11T18:05:12.316677Z"]]');
INSERT INTO "book" VALUES('default','gen_api','[[490392,491155]]','[]','{}',1768154712316677,'',NULL,1768154712316677,1768154712316677,'[[490392,490416,"2026-01-10T12:05:20.319247Z"],[490416,491155,"2026-01-11T18:05:12.316677Z"]]');
INSERT INTO "book" VALUES('default','web_search','[[490392,491155]]','[]','{}',1768154712316677,'',NULL,1768154712316677,1768154712316677,'[[490392,490416,"2026-01-10T12:05:20.319247Z"],[490416,491155,"2026-01-11T18:05:12.316677Z"]]');
INSERT INTO "book" VALUES('default','cloud_sandbox','[[490392,491155]]','[]','{}',1768154712316677,'',NULL,1768154712316677,1768154712316677,'[[490392,490416,"2026-01-10T12:05:20.319247Z"],[490416,491155,"2026-01-11T18:05:12.316677Z"]]');
INSERT INTO "book" VALUES('default','llm_dedicated_endpoint','[[490392,491155]]','[]','{}',1768154712316677,'',NULL,1768154712316677,1768154712316677,'[[490392,490416,"2026-01-10T12:05:20.319247Z"],[490416,491155,"2026-01-11T18:05:12.316677Z"]]');
INSERT INTO "book" VALUES('default','bare_metal','[[490392,491155]]','[]','{}',1768154712316677,'',NULL,1768154712316677,1768154712316677,'[[490392,490416,"2026-01-10T12:05:20.319247Z"],[490416,491155,"2026-01-11T18:05:12.316677Z"]]');
CREATE TABLE cycle (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    is_ok BIGINT NOT NULL,
    summary TEXT NOT NULL
);
INSERT INTO "cycle" VALUES(1,1768046720319247,1768046722819413,1,'[["rows",1],["ranges",12],["hours_changed",1],["hours_doubted",0],["rows_rounded",0],["firing",1],["pending",0],["notifications",1],["read_ms",1767],["evaluate_ms",482],["decide_ms",211],["errors",""],["rule_errors",""]]');
INSERT INTO "cycle" VALUES(2,1768154712316677,1768154714316521,1,'[["rows",5],["ranges",12],["hours_changed",4],["hours_doubted",0],["rows_rounded",0],["firing",5],["pending",1],["notifications",5],["read_ms",1158],["evaluate_ms",399],["decide_ms",336],["errors",""],["rule_errors",""]]');
CREATE TABLE key_arrival (
    account TEXT NOT NULL,
    category TEXT NOT NULL,
    step BIGINT NOT NULL,
    end_hour BIGINT NOT NULL,
    came BLOB NOT NULL,
    PRIMARY KEY (account, category, step, end_hour),
    FOREIGN KEY (account, category) REFERENCES key_book (account, category)
);
INSERT INTO "key_arrival" VALUES('default','llm',1,491153,X'010100000000000000FFFF');
CREATE TABLE key_bill_hour (
    account TEXT NOT NULL,
    category TEXT NOT NULL,
    hour BIGINT NOT NULL,
    end_hour BIGINT NOT NULL,
    total TEXT NOT NULL,
    has_credit BIGINT NOT NULL,
    digest BLOB NOT NULL,
    block BLOB NOT NULL,
    PRIMARY KEY (account, category, hour),
    FOREIGN KEY (account, category) REFERENCES key_book (account, category)
);
INSERT INTO "key_bill_hour" VALUES('default','llm',491152,491153,'85000000000',0,X'A425EA1F4C2C4EA510DD92A1206AD575',X'01000100000000000000001265CA13000000');
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
    full_read_at BIGINT, reads TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (account, category)
);
INSERT INTO "key_book" VALUES('default','gen_api','[[490896,491155]]','[]','{}',1768154712316677,'',NULL,1768154712316677,NULL,'[[490896,491155,"2026-01-11T18:05:12.316677Z"]]');
INSERT INTO "key_book" VALUES('default','llm','[[490896,491155]]','[]','{}',1768154712316677,'',NULL,1768154712316677,NULL,'[[490896,491155,"2026-01-11T18:05:12.316677Z"]]');
INSERT INTO "key_book" VALUES('default','web_search','[[490896,491155]]','[]','{}',1768154712316677,'',NULL,1768154712316677,NULL,'[[490896,491155,"2026-01-11T18:05:12.316677Z"]]');
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
INSERT INTO "key_series" VALUES(0,'default','llm','Compute','key-7','product','','on-demand');
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    content TEXT NOT NULL
);
INSERT INTO "meta" VALUES('schema_version','10');
INSERT INTO "meta" VALUES('install_id','9d65254fe554e4041e6dbb3175cae86e');
INSERT INTO "meta" VALUES('created_at','1768046720319247');
INSERT INTO "meta" VALUES('views','api_key usage');
INSERT INTO "meta" VALUES('last_read','{"accounts":["default"],"dropped":[["usage","default","subscription"]],"refused":{},"bill_gaps":{},"balance_gaps":{},"resource_gaps":{"default":"instances: the API does not offer them here (HTTP 404); serverless endpoints: the API does not offer them here (HTTP 404)"},"resources_read":{}}');
INSERT INTO "meta" VALUES('edges','[]');
INSERT INTO "meta" VALUES('next_poll_at','');
INSERT INTO "meta" VALUES('clock','{"checked_at":"2026-01-11T18:05:14.325175Z","elapsed_s":-27836771.533658516,"boot":"968cb269-95c4-4f7b-b630-f6300c763e3f","note":"","is_wrong":false}');
CREATE TABLE monthly_bill (
    account TEXT NOT NULL,
    bill_id TEXT NOT NULL,
    bill TEXT NOT NULL,
    phases TEXT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    PRIMARY KEY (account, bill_id)
);
INSERT INTO "monthly_bill" VALUES('default','bill-2025-11','{"account":"default","bill_id":"bill-2025-11","month":"2025-11","status":"paid","total":1000000000000,"origin_total":1000000000000,"voucher_paid":0,"cash_paid":1000000000000,"debt":0,"repaid":0,"invoice_url":""}','[{"status":"paid","owes":false,"since":"2026-01-10T12:05:20.319247Z","is_gone":false}]',1768154712316677);
INSERT INTO "monthly_bill" VALUES('default','bill-2025-12','{"account":"default","bill_id":"bill-2025-12","month":"2025-12","status":"overdue","total":1230000000000,"origin_total":1230000000000,"voucher_paid":0,"cash_paid":0,"debt":1230000000000,"repaid":0,"invoice_url":""}','[{"status":"overdue","owes":true,"since":"2026-01-11T18:05:12.316677Z","is_gone":false}]',1768154712316677);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
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
INSERT INTO "outbox" VALUES(1,'4c13acb9c0884f555b061068ebac6727','bridge','','58c6f7344ccf0e27','["58c6f7344ccf0e27"]','{"reason":"firing","severity":2,"is_resolved":false,"title":"gpu-0 spent $9.00 on gpu in 24h (warning from $5.00)","lines":["$3.00 an hour, nothing billed since 2026-01-10 11:00 UTC.","Firing since 2026-01-10 12:05 UTC.","What to do: Look at what runs under these names: stop what is not needed, or raise the threshold."],"line_urls":[],"lines_below":1,"lines_of_people":0,"fields":[],"table":[{"who":"gpu-0","what":"product (gpu)","amount":"$9.00","before":"$0.00"}],"table_note":"24h to 2026-01-10 12:00 UTC, against the 24h before","history":[],"sections":[],"chart":{"title":"Spend in 24h, rolling","unit":"USD","form":"line","points":[{"at":"2026-01-09T12:00:00Z","value":"0"},{"at":"2026-01-09T13:00:00Z","value":"0"},{"at":"2026-01-09T14:00:00Z","value":"0"},{"at":"2026-01-09T15:00:00Z","value":"0"},{"at":"2026-01-09T16:00:00Z","value":"0"},{"at":"2026-01-09T17:00:00Z","value":"0"},{"at":"2026-01-09T18:00:00Z","value":"0"},{"at":"2026-01-09T19:00:00Z","value":"0"},{"at":"2026-01-09T20:00:00Z","value":"0"},{"at":"2026-01-09T21:00:00Z","value":"0"},{"at":"2026-01-09T22:00:00Z","value":"0"},{"at":"2026-01-09T23:00:00Z","value":"0"},{"at":"2026-01-10T00:00:00Z","value":"0"},{"at":"2026-01-10T01:00:00Z","value":"0"},{"at":"2026-01-10T02:00:00Z","value":"0"},{"at":"2026-01-10T03:00:00Z","value":"0"},{"at":"2026-01-10T04:00:00Z","value":"0"},{"at":"2026-01-10T05:00:00Z","value":"0"},{"at":"2026-01-10T06:00:00Z","value":"0"},{"at":"2026-01-10T07:00:00Z","value":"0"},{"at":"2026-01-10T08:00:00Z","value":"0"},{"at":"2026-01-10T09:00:00Z","value":"0"},{"at":"2026-01-10T10:00:00Z","value":"0"},{"at":"2026-01-10T11:00:00Z","value":"9.0000000001"},{"at":"2026-01-10T12:00:00Z","value":"9.0000000001"}],"limits":[{"name":"warning","value":"5","severity":2,"changed_at":"2026-01-10T11:00:00Z"}],"timezone":"UTC","is_by_day":false,"fired_at":"2026-01-10T12:05:20.319247Z","note":""},"links":[],"footer":"billed through 2026-01-10 12:00 UTC · rule gpu · account default · alert 58c6f7344ccf0e27","alerts":[{"fingerprint":"58c6f7344ccf0e27","rule":"gpu","is_resolved":false,"severity":2,"labels":[["account","default"],["owner","gpu-0"],["alertname","gpu"],["severity","warning"],["type","rolling_spend"]],"annotations":[["summary","gpu-0 spent $9.00 on gpu in 24h"]],"starts_at":"2026-01-10T12:05:20.319247Z","ends_at":null,"value":"9.0000000001","threshold":"5","unit":"USD","as_of":"2026-01-10T12:00:00Z","expected":null,"url":"","episode":1,"acknowledged_by":null,"muted":null,"offer":null}],"slack_owner":"","created_at":"2026-01-10T12:05:20.319247Z","written_at":null,"timezone":"UTC"}','delivered',1768046720319247,1768046720319247,1,0,1768046722852523,1768046722852523,1768046722944162,0,0,'','',NULL);
INSERT INTO "outbox" VALUES(2,'3dfda2d59d0867934c24783096423caa','bridge','','c039d74df0ababc6','["c039d74df0ababc6"]','{"reason":"firing","severity":3,"is_resolved":false,"title":"ci (key-7) spent $8.50 in 24h (critical from $5.00)","lines":["$2.83 an hour, nothing billed since 2026-01-11 17:00 UTC.","Firing since 2026-01-11 18:05 UTC.","What to do: Look at what runs under these names: stop what is not needed, or raise the threshold."],"line_urls":[],"lines_below":1,"lines_of_people":0,"fields":[],"table":[{"who":"ci (key-7)","what":"product (llm)","amount":"$8.50","before":"$0.00"}],"table_note":"24h to 2026-01-11 18:00 UTC, against the 24h before","history":[],"sections":[],"chart":{"title":"Spend in 24h, rolling","unit":"USD","form":"line","points":[{"at":"2026-01-10T18:00:00Z","value":"0"},{"at":"2026-01-10T19:00:00Z","value":"0"},{"at":"2026-01-10T20:00:00Z","value":"0"},{"at":"2026-01-10T21:00:00Z","value":"0"},{"at":"2026-01-10T22:00:00Z","value":"0"},{"at":"2026-01-10T23:00:00Z","value":"0"},{"at":"2026-01-11T00:00:00Z","value":"0"},{"at":"2026-01-11T01:00:00Z","value":"0"},{"at":"2026-01-11T02:00:00Z","value":"0"},{"at":"2026-01-11T03:00:00Z","value":"0"},{"at":"2026-01-11T04:00:00Z","value":"0"},{"at":"2026-01-11T05:00:00Z","value":"0"},{"at":"2026-01-11T06:00:00Z","value":"0"},{"at":"2026-01-11T07:00:00Z","value":"0"},{"at":"2026-01-11T08:00:00Z","value":"0"},{"at":"2026-01-11T09:00:00Z","value":"0"},{"at":"2026-01-11T10:00:00Z","value":"0"},{"at":"2026-01-11T11:00:00Z","value":"0"},{"at":"2026-01-11T12:00:00Z","value":"0"},{"at":"2026-01-11T13:00:00Z","value":"0"},{"at":"2026-01-11T14:00:00Z","value":"0"},{"at":"2026-01-11T15:00:00Z","value":"0"},{"at":"2026-01-11T16:00:00Z","value":"0"},{"at":"2026-01-11T17:00:00Z","value":"8.5"},{"at":"2026-01-11T18:00:00Z","value":"8.5"}],"limits":[{"name":"critical","value":"5","severity":3,"changed_at":"2026-01-11T17:00:00Z"}],"timezone":"UTC","is_by_day":false,"fired_at":"2026-01-11T18:05:12.316677Z","note":""},"links":[],"footer":"billed through 2026-01-11 18:00 UTC · rule by-key · account default · alert c039d74df0ababc6","alerts":[{"fingerprint":"c039d74df0ababc6","rule":"by-key","is_resolved":false,"severity":3,"labels":[["account","default"],["owner_name","ci"],["owner","key-7"],["alertname","by-key"],["severity","critical"],["type","rolling_spend"]],"annotations":[["summary","ci (key-7) spent $8.50 in 24h"]],"starts_at":"2026-01-11T18:05:12.316677Z","ends_at":null,"value":"8.5","threshold":"5","unit":"USD","as_of":"2026-01-11T18:00:00Z","expected":null,"url":"","episode":1,"acknowledged_by":null,"muted":null,"offer":null}],"slack_owner":"","created_at":"2026-01-11T18:05:12.316677Z","written_at":null,"timezone":"UTC"}','delivered',1768154712316677,1768154712316677,1,0,1768154714354665,1768154714354665,1768154714462811,0,0,'','',NULL);
INSERT INTO "outbox" VALUES(3,'45e7252a13f256506a7117558a6e3edb','bridge','','1c00c82c6fe2430d','["1c00c82c6fe2430d"]','{"reason":"firing","severity":2,"is_resolved":false,"title":"gpu-1 spent $61.25 on gpu in 24h (warning from $5.00)","lines":["$20.42 an hour, nothing billed since 2026-01-11 17:00 UTC.","Firing since 2026-01-11 18:05 UTC.","What to do: Look at what runs under these names: stop what is not needed, or raise the threshold."],"line_urls":[],"lines_below":1,"lines_of_people":0,"fields":[],"table":[{"who":"gpu-1","what":"H100 (gpu)","amount":"$61.25","before":"$0.00"}],"table_note":"24h to 2026-01-11 18:00 UTC, against the 24h before","history":[],"sections":[],"chart":{"title":"Spend in 24h, rolling","unit":"USD","form":"line","points":[{"at":"2026-01-10T18:00:00Z","value":"0"},{"at":"2026-01-10T19:00:00Z","value":"0"},{"at":"2026-01-10T20:00:00Z","value":"0"},{"at":"2026-01-10T21:00:00Z","value":"0"},{"at":"2026-01-10T22:00:00Z","value":"0"},{"at":"2026-01-10T23:00:00Z","value":"0"},{"at":"2026-01-11T00:00:00Z","value":"0"},{"at":"2026-01-11T01:00:00Z","value":"0"},{"at":"2026-01-11T02:00:00Z","value":"0"},{"at":"2026-01-11T03:00:00Z","value":"0"},{"at":"2026-01-11T04:00:00Z","value":"0"},{"at":"2026-01-11T05:00:00Z","value":"0"},{"at":"2026-01-11T06:00:00Z","value":"0"},{"at":"2026-01-11T07:00:00Z","value":"0"},{"at":"2026-01-11T08:00:00Z","value":"0"},{"at":"2026-01-11T09:00:00Z","value":"0"},{"at":"2026-01-11T10:00:00Z","value":"0"},{"at":"2026-01-11T11:00:00Z","value":"0"},{"at":"2026-01-11T12:00:00Z","value":"0"},{"at":"2026-01-11T13:00:00Z","value":"0"},{"at":"2026-01-11T14:00:00Z","value":"0"},{"at":"2026-01-11T15:00:00Z","value":"0"},{"at":"2026-01-11T16:00:00Z","value":"0"},{"at":"2026-01-11T17:00:00Z","value":"61.25"},{"at":"2026-01-11T18:00:00Z","value":"61.25"}],"limits":[{"name":"warning","value":"5","severity":2,"changed_at":"2026-01-11T17:00:00Z"},{"name":"critical","value":"100","severity":3,"changed_at":null}],"timezone":"UTC","is_by_day":false,"fired_at":"2026-01-11T18:05:12.316677Z","note":""},"links":[],"footer":"billed through 2026-01-11 18:00 UTC · rule gpu · account default · alert 1c00c82c6fe2430d","alerts":[{"fingerprint":"1c00c82c6fe2430d","rule":"gpu","is_resolved":false,"severity":2,"labels":[["account","default"],["owner","gpu-1"],["alertname","gpu"],["severity","warning"],["type","rolling_spend"]],"annotations":[["summary","gpu-1 spent $61.25 on gpu in 24h"]],"starts_at":"2026-01-11T18:05:12.316677Z","ends_at":null,"value":"61.25","threshold":"5","unit":"USD","as_of":"2026-01-11T18:00:00Z","expected":null,"url":"","episode":1,"acknowledged_by":null,"muted":null,"offer":null}],"slack_owner":"","created_at":"2026-01-11T18:05:12.316677Z","written_at":null,"timezone":"UTC"}','delivered',1768154712316677,1768154712316677,1,0,1768154714509367,1768154714509367,1768154714569155,0,0,'','',NULL);
INSERT INTO "outbox" VALUES(4,'ee18719df8aca48fc46b64e1c1af52c9','bridge','','58c6f7344ccf0e27','["58c6f7344ccf0e27"]','{"reason":"resolved","severity":2,"is_resolved":true,"title":"gpu-0 spent $0.00 on gpu in 24h","lines":["It fired for 1 d 5 h, from 2026-01-10 12:05 UTC; at most $9.00."],"line_urls":[],"lines_below":0,"lines_of_people":0,"fields":[],"table":[],"table_note":"","history":[],"sections":[],"chart":{"title":"Spend in 24h, rolling","unit":"USD","form":"line","points":[{"at":"2026-01-10T02:00:00Z","value":"0"},{"at":"2026-01-10T03:00:00Z","value":"0"},{"at":"2026-01-10T04:00:00Z","value":"0"},{"at":"2026-01-10T05:00:00Z","value":"0"},{"at":"2026-01-10T06:00:00Z","value":"0"},{"at":"2026-01-10T07:00:00Z","value":"0"},{"at":"2026-01-10T08:00:00Z","value":"0"},{"at":"2026-01-10T09:00:00Z","value":"0"},{"at":"2026-01-10T10:00:00Z","value":"0"},{"at":"2026-01-10T11:00:00Z","value":"9.0000000001"},{"at":"2026-01-10T12:00:00Z","value":"9.0000000001"},{"at":"2026-01-10T13:00:00Z","value":"9.0000000001"},{"at":"2026-01-10T14:00:00Z","value":"9.0000000001"},{"at":"2026-01-10T15:00:00Z","value":"9.0000000001"},{"at":"2026-01-10T16:00:00Z","value":"9.0000000001"},{"at":"2026-01-10T17:00:00Z","value":"9.0000000001"},{"at":"2026-01-10T18:00:00Z","value":"9.0000000001"},{"at":"2026-01-10T19:00:00Z","value":"9.0000000001"},{"at":"2026-01-10T20:00:00Z","value":"9.0000000001"},{"at":"2026-01-10T21:00:00Z","value":"9.0000000001"},{"at":"2026-01-10T22:00:00Z","value":"9.0000000001"},{"at":"2026-01-10T23:00:00Z","value":"9.0000000001"},{"at":"2026-01-11T00:00:00Z","value":"9.0000000001"},{"at":"2026-01-11T01:00:00Z","value":"9.0000000001"},{"at":"2026-01-11T02:00:00Z","value":"9.0000000001"},{"at":"2026-01-11T03:00:00Z","value":"9.0000000001"},{"at":"2026-01-11T04:00:00Z","value":"9.0000000001"},{"at":"2026-01-11T05:00:00Z","value":"9.0000000001"},{"at":"2026-01-11T06:00:00Z","value":"9.0000000001"},{"at":"2026-01-11T07:00:00Z","value":"9.0000000001"},{"at":"2026-01-11T08:00:00Z","value":"9.0000000001"},{"at":"2026-01-11T09:00:00Z","value":"9.0000000001"},{"at":"2026-01-11T10:00:00Z","value":"9.0000000001"},{"at":"2026-01-11T11:00:00Z","value":"0"},{"at":"2026-01-11T12:00:00Z","value":"0"},{"at":"2026-01-11T13:00:00Z","value":"0"},{"at":"2026-01-11T14:00:00Z","value":"0"},{"at":"2026-01-11T15:00:00Z","value":"0"},{"at":"2026-01-11T16:00:00Z","value":"0"},{"at":"2026-01-11T17:00:00Z","value":"0"},{"at":"2026-01-11T18:00:00Z","value":"0"}],"limits":[{"name":"warning","value":"5","severity":2,"changed_at":"2026-01-11T11:00:00Z"}],"timezone":"UTC","is_by_day":false,"fired_at":"2026-01-10T12:05:20.319247Z","note":""},"links":[],"footer":"billed through 2026-01-11 18:00 UTC · rule gpu · account default · alert 58c6f7344ccf0e27","alerts":[{"fingerprint":"58c6f7344ccf0e27","rule":"gpu","is_resolved":true,"severity":2,"labels":[["account","default"],["owner","gpu-0"],["alertname","gpu"],["severity","warning"],["type","rolling_spend"]],"annotations":[["summary","gpu-0 spent $0.00 on gpu in 24h"]],"starts_at":"2026-01-10T12:05:20.319247Z","ends_at":"2026-01-11T18:05:12.316677Z","value":"0","threshold":null,"unit":"USD","as_of":"2026-01-11T18:00:00Z","expected":null,"url":"","episode":1,"acknowledged_by":null,"muted":null,"offer":null}],"slack_owner":"","created_at":"2026-01-11T18:05:12.316677Z","written_at":null,"timezone":"UTC"}','delivered',1768154712316677,1768154712316677,1,0,1768154714800944,1768154714800944,1768154714877540,0,0,'','',NULL);
INSERT INTO "outbox" VALUES(5,'c9b87b1c31d07c6a108548f604ccffd0','bridge','','23d90eb40276dd8c','["23d90eb40276dd8c"]','{"reason":"firing","severity":2,"is_resolved":false,"title":"Balance of default is $96.00, enough for 3 d 8 h at the pace of the last 72h (runs out 2026-01-15 02:00 UTC) (warning at or below $100.00)","lines":["Firing since 2026-01-11 18:05 UTC.","What to do: Top up the account in the billing console, or stop what spends most."],"line_urls":[],"lines_below":1,"lines_of_people":0,"fields":[{"name":"Cash","text":"$46.00"},{"name":"Credit limit","text":"$50.00"},{"name":"Spend per day","text":"$28.58, the mean of the 72h billed through 2026-01-11 18:00 UTC"},{"name":"Reached by","text":"available (warning at or below $100.00)"}],"table":[{"who":"gpu-1","what":"H100 (gpu)","amount":"$61.25","before":"$0.00"},{"who":"gpu-0","what":"product (gpu)","amount":"$9.00","before":"$0.00"},{"who":"ci (key-7)","what":"product (llm)","amount":"$8.50","before":"$0.00"}],"table_note":"largest spend of the last 72h, against as long before","history":[],"sections":[],"chart":null,"links":[],"footer":"as of 2026-01-11 18:05 UTC · rule low · account default · alert 23d90eb40276dd8c","alerts":[{"fingerprint":"23d90eb40276dd8c","rule":"low","is_resolved":false,"severity":2,"labels":[["account","default"],["alertname","low"],["severity","warning"],["type","balance"]],"annotations":[["summary","Balance of default is $96.00, enough for 3 d 8 h at the pace of the last 72h (runs out 2026-01-15 02:00 UTC)"],["details","Available: $96.00; Cash: $46.00; Credit limit: $50.00; Spend per day: $28.58, the mean of the 72h billed through 2026-01-11 18:00 UTC; Reached by: available (warning at or below $100.00)"]],"starts_at":"2026-01-11T18:05:12.316677Z","ends_at":null,"value":"96","threshold":"100","unit":"USD","as_of":"2026-01-11T18:05:12.316677Z","expected":null,"url":"","episode":1,"acknowledged_by":null,"muted":null,"offer":null}],"slack_owner":"","created_at":"2026-01-11T18:05:12.316677Z","written_at":null,"timezone":"UTC"}','delivered',1768154712316677,1768154712316677,1,0,1768154714617241,1768154714617241,1768154714732402,0,0,'','',NULL);
INSERT INTO "outbox" VALUES(6,'662a57ff622e4f5e67e24065d7af45ce','bridge','','5183366cc0dcd8a7','["5183366cc0dcd8a7"]','{"reason":"firing","severity":2,"is_resolved":false,"title":"Bill of 2025-12 (default) is overdue: $123.00 owed of $123.00","lines":["Firing since 2026-01-11 18:05 UTC.","What to do: Pay it in the billing console: an unpaid bill stops everything that runs."],"line_urls":[],"lines_below":1,"lines_of_people":0,"fields":[],"table":[],"table_note":"","history":[],"sections":[],"chart":null,"links":[],"footer":"as of 2026-01-11 18:05 UTC · rule overdue · account default · alert 5183366cc0dcd8a7","alerts":[{"fingerprint":"5183366cc0dcd8a7","rule":"overdue","is_resolved":false,"severity":2,"labels":[["account","default"],["month","2025-12"],["bill_id","bill-2025-12"],["status","overdue"],["alertname","overdue"],["severity","warning"],["type","monthly_bill"]],"annotations":[["summary","Bill of 2025-12 (default) is overdue: $123.00 owed of $123.00"],["details","Owed: $123.00; Bill total: $123.00; Month: 2025-12; Status: overdue"]],"starts_at":"2026-01-11T18:05:12.316677Z","ends_at":null,"value":"0","threshold":"0","unit":"days","as_of":"2026-01-11T18:05:12.316677Z","expected":null,"url":"","episode":1,"acknowledged_by":null,"muted":null,"offer":null}],"slack_owner":"","created_at":"2026-01-11T18:05:12.316677Z","written_at":null,"timezone":"UTC"}','delivered',1768154712316677,1768154712316677,1,0,1768154714745583,1768154714745583,1768154714780860,0,0,'','',NULL);
INSERT INTO "outbox" VALUES(7,'stray pending','gone','pending','pending','["f1"]','{"reason":"firing","severity":2,"is_resolved":false,"title":"trainer-a (gpu-1) spent $61.25 on GPU in 24 hours, over the $50.00 threshold","lines":["Billed through 12:00 UTC; at the pace of the last hour, $7.10, the $100.00 threshold is reached by 18:00.","To stop it, look at the two instances below."],"line_urls":[],"lines_below":0,"lines_of_people":0,"fields":[{"name":"Rule","text":"gpu-24h-per-owner"},{"name":"Window","text":"24 hours to 12:00 UTC"},{"name":"Team","text":"research"},{"name":"Next threshold","text":"$100.00 (critical)"}],"table":[{"who":"trainer-a (gpu-1)","what":"H100 80GB · gpu","amount":"$58.00","before":"$20.00"},{"who":"trainer-a (gpu-1)","what":"storage · gpu","amount":"$3.25","before":"no data"}],"table_note":"last 24 hours against the 24 hours before","history":[],"sections":[],"chart":null,"links":[{"text":"Status page","url":"https://alertd.example.com/alerts/0000000000000001"},{"text":"Runbook","url":"https://wiki.example.com/gpu?x=1&y=2"}],"footer":"gpu-24h-per-owner · account default · 0000000000000001","alerts":[{"fingerprint":"0000000000000001","rule":"gpu-24h-per-owner","is_resolved":false,"severity":2,"labels":[["account","default"],["alertname","gpu-24h-per-owner"],["owner","gpu-1"],["severity","warning"]],"annotations":[["description","GPU spend per owner"]],"starts_at":"2026-01-10T12:00:00Z","ends_at":null,"value":"61.25","threshold":"50","unit":"USD","as_of":"2026-01-10T12:00:00Z","expected":null,"url":"https://alertd.example.com/alerts/0000000000000001","episode":0,"acknowledged_by":null,"muted":null,"offer":null}],"slack_owner":"","created_at":"2026-01-10T12:05:00Z","written_at":null,"timezone":"UTC"}','pending',1768046700000000,1768046700000000,1,0,NULL,1768046700000000,NULL,0,0,'','why it is pending',NULL);
INSERT INTO "outbox" VALUES(8,'stray sending','gone','sending','sending','["f1"]','{"reason":"firing","severity":2,"is_resolved":false,"title":"trainer-a (gpu-1) spent $61.25 on GPU in 24 hours, over the $50.00 threshold","lines":["Billed through 12:00 UTC; at the pace of the last hour, $7.10, the $100.00 threshold is reached by 18:00.","To stop it, look at the two instances below."],"line_urls":[],"lines_below":0,"lines_of_people":0,"fields":[{"name":"Rule","text":"gpu-24h-per-owner"},{"name":"Window","text":"24 hours to 12:00 UTC"},{"name":"Team","text":"research"},{"name":"Next threshold","text":"$100.00 (critical)"}],"table":[{"who":"trainer-a (gpu-1)","what":"H100 80GB · gpu","amount":"$58.00","before":"$20.00"},{"who":"trainer-a (gpu-1)","what":"storage · gpu","amount":"$3.25","before":"no data"}],"table_note":"last 24 hours against the 24 hours before","history":[],"sections":[],"chart":null,"links":[{"text":"Status page","url":"https://alertd.example.com/alerts/0000000000000001"},{"text":"Runbook","url":"https://wiki.example.com/gpu?x=1&y=2"}],"footer":"gpu-24h-per-owner · account default · 0000000000000001","alerts":[{"fingerprint":"0000000000000001","rule":"gpu-24h-per-owner","is_resolved":false,"severity":2,"labels":[["account","default"],["alertname","gpu-24h-per-owner"],["owner","gpu-1"],["severity","warning"]],"annotations":[["description","GPU spend per owner"]],"starts_at":"2026-01-10T12:00:00Z","ends_at":null,"value":"61.25","threshold":"50","unit":"USD","as_of":"2026-01-10T12:00:00Z","expected":null,"url":"https://alertd.example.com/alerts/0000000000000001","episode":0,"acknowledged_by":null,"muted":null,"offer":null}],"slack_owner":"","created_at":"2026-01-10T12:05:00Z","written_at":null,"timezone":"UTC"}','sending',1768046700000000,1768046700000000,1,0,NULL,1768046700000000,NULL,0,0,'','why it is sending',NULL);
INSERT INTO "outbox" VALUES(9,'stray unknown','gone','unknown','unknown','["f1"]','{"reason":"firing","severity":2,"is_resolved":false,"title":"trainer-a (gpu-1) spent $61.25 on GPU in 24 hours, over the $50.00 threshold","lines":["Billed through 12:00 UTC; at the pace of the last hour, $7.10, the $100.00 threshold is reached by 18:00.","To stop it, look at the two instances below."],"line_urls":[],"lines_below":0,"lines_of_people":0,"fields":[{"name":"Rule","text":"gpu-24h-per-owner"},{"name":"Window","text":"24 hours to 12:00 UTC"},{"name":"Team","text":"research"},{"name":"Next threshold","text":"$100.00 (critical)"}],"table":[{"who":"trainer-a (gpu-1)","what":"H100 80GB · gpu","amount":"$58.00","before":"$20.00"},{"who":"trainer-a (gpu-1)","what":"storage · gpu","amount":"$3.25","before":"no data"}],"table_note":"last 24 hours against the 24 hours before","history":[],"sections":[],"chart":null,"links":[{"text":"Status page","url":"https://alertd.example.com/alerts/0000000000000001"},{"text":"Runbook","url":"https://wiki.example.com/gpu?x=1&y=2"}],"footer":"gpu-24h-per-owner · account default · 0000000000000001","alerts":[{"fingerprint":"0000000000000001","rule":"gpu-24h-per-owner","is_resolved":false,"severity":2,"labels":[["account","default"],["alertname","gpu-24h-per-owner"],["owner","gpu-1"],["severity","warning"]],"annotations":[["description","GPU spend per owner"]],"starts_at":"2026-01-10T12:00:00Z","ends_at":null,"value":"61.25","threshold":"50","unit":"USD","as_of":"2026-01-10T12:00:00Z","expected":null,"url":"https://alertd.example.com/alerts/0000000000000001","episode":0,"acknowledged_by":null,"muted":null,"offer":null}],"slack_owner":"","created_at":"2026-01-10T12:05:00Z","written_at":null,"timezone":"UTC"}','unknown',1768046700000000,1768046700000000,1,0,NULL,1768046700000000,NULL,0,0,'','why it is unknown',NULL);
INSERT INTO "outbox" VALUES(10,'stray delivered','gone','delivered','delivered','["f1"]','{"reason":"firing","severity":2,"is_resolved":false,"title":"trainer-a (gpu-1) spent $61.25 on GPU in 24 hours, over the $50.00 threshold","lines":["Billed through 12:00 UTC; at the pace of the last hour, $7.10, the $100.00 threshold is reached by 18:00.","To stop it, look at the two instances below."],"line_urls":[],"lines_below":0,"lines_of_people":0,"fields":[{"name":"Rule","text":"gpu-24h-per-owner"},{"name":"Window","text":"24 hours to 12:00 UTC"},{"name":"Team","text":"research"},{"name":"Next threshold","text":"$100.00 (critical)"}],"table":[{"who":"trainer-a (gpu-1)","what":"H100 80GB · gpu","amount":"$58.00","before":"$20.00"},{"who":"trainer-a (gpu-1)","what":"storage · gpu","amount":"$3.25","before":"no data"}],"table_note":"last 24 hours against the 24 hours before","history":[],"sections":[],"chart":null,"links":[{"text":"Status page","url":"https://alertd.example.com/alerts/0000000000000001"},{"text":"Runbook","url":"https://wiki.example.com/gpu?x=1&y=2"}],"footer":"gpu-24h-per-owner · account default · 0000000000000001","alerts":[{"fingerprint":"0000000000000001","rule":"gpu-24h-per-owner","is_resolved":false,"severity":2,"labels":[["account","default"],["alertname","gpu-24h-per-owner"],["owner","gpu-1"],["severity","warning"]],"annotations":[["description","GPU spend per owner"]],"starts_at":"2026-01-10T12:00:00Z","ends_at":null,"value":"61.25","threshold":"50","unit":"USD","as_of":"2026-01-10T12:00:00Z","expected":null,"url":"https://alertd.example.com/alerts/0000000000000001","episode":0,"acknowledged_by":null,"muted":null,"offer":null}],"slack_owner":"","created_at":"2026-01-10T12:05:00Z","written_at":null,"timezone":"UTC"}','delivered',1768046700000000,1768046700000000,1,0,NULL,1768046700000000,1768046700000000,0,0,'1768046700.000100','',NULL);
INSERT INTO "outbox" VALUES(11,'stray blocked','gone','blocked','blocked','["f1"]','{"reason":"firing","severity":2,"is_resolved":false,"title":"trainer-a (gpu-1) spent $61.25 on GPU in 24 hours, over the $50.00 threshold","lines":["Billed through 12:00 UTC; at the pace of the last hour, $7.10, the $100.00 threshold is reached by 18:00.","To stop it, look at the two instances below."],"line_urls":[],"lines_below":0,"lines_of_people":0,"fields":[{"name":"Rule","text":"gpu-24h-per-owner"},{"name":"Window","text":"24 hours to 12:00 UTC"},{"name":"Team","text":"research"},{"name":"Next threshold","text":"$100.00 (critical)"}],"table":[{"who":"trainer-a (gpu-1)","what":"H100 80GB · gpu","amount":"$58.00","before":"$20.00"},{"who":"trainer-a (gpu-1)","what":"storage · gpu","amount":"$3.25","before":"no data"}],"table_note":"last 24 hours against the 24 hours before","history":[],"sections":[],"chart":null,"links":[{"text":"Status page","url":"https://alertd.example.com/alerts/0000000000000001"},{"text":"Runbook","url":"https://wiki.example.com/gpu?x=1&y=2"}],"footer":"gpu-24h-per-owner · account default · 0000000000000001","alerts":[{"fingerprint":"0000000000000001","rule":"gpu-24h-per-owner","is_resolved":false,"severity":2,"labels":[["account","default"],["alertname","gpu-24h-per-owner"],["owner","gpu-1"],["severity","warning"]],"annotations":[["description","GPU spend per owner"]],"starts_at":"2026-01-10T12:00:00Z","ends_at":null,"value":"61.25","threshold":"50","unit":"USD","as_of":"2026-01-10T12:00:00Z","expected":null,"url":"https://alertd.example.com/alerts/0000000000000001","episode":0,"acknowledged_by":null,"muted":null,"offer":null}],"slack_owner":"","created_at":"2026-01-10T12:05:00Z","written_at":null,"timezone":"UTC"}','blocked',1768046700000000,1768046700000000,1,0,NULL,1768046700000000,NULL,0,0,'','why it is blocked',NULL);
INSERT INTO "outbox" VALUES(12,'stray gave up','gone','gave up','gave up','["f1"]','{"reason":"firing","severity":2,"is_resolved":false,"title":"trainer-a (gpu-1) spent $61.25 on GPU in 24 hours, over the $50.00 threshold","lines":["Billed through 12:00 UTC; at the pace of the last hour, $7.10, the $100.00 threshold is reached by 18:00.","To stop it, look at the two instances below."],"line_urls":[],"lines_below":0,"lines_of_people":0,"fields":[{"name":"Rule","text":"gpu-24h-per-owner"},{"name":"Window","text":"24 hours to 12:00 UTC"},{"name":"Team","text":"research"},{"name":"Next threshold","text":"$100.00 (critical)"}],"table":[{"who":"trainer-a (gpu-1)","what":"H100 80GB · gpu","amount":"$58.00","before":"$20.00"},{"who":"trainer-a (gpu-1)","what":"storage · gpu","amount":"$3.25","before":"no data"}],"table_note":"last 24 hours against the 24 hours before","history":[],"sections":[],"chart":null,"links":[{"text":"Status page","url":"https://alertd.example.com/alerts/0000000000000001"},{"text":"Runbook","url":"https://wiki.example.com/gpu?x=1&y=2"}],"footer":"gpu-24h-per-owner · account default · 0000000000000001","alerts":[{"fingerprint":"0000000000000001","rule":"gpu-24h-per-owner","is_resolved":false,"severity":2,"labels":[["account","default"],["alertname","gpu-24h-per-owner"],["owner","gpu-1"],["severity","warning"]],"annotations":[["description","GPU spend per owner"]],"starts_at":"2026-01-10T12:00:00Z","ends_at":null,"value":"61.25","threshold":"50","unit":"USD","as_of":"2026-01-10T12:00:00Z","expected":null,"url":"https://alertd.example.com/alerts/0000000000000001","episode":0,"acknowledged_by":null,"muted":null,"offer":null}],"slack_owner":"","created_at":"2026-01-10T12:05:00Z","written_at":null,"timezone":"UTC"}','gave up',1768046700000000,1768046700000000,1,0,NULL,1768046700000000,1768046700000000,0,0,'','why it is gave up',NULL);
INSERT INTO "outbox" VALUES(13,'stray folded','gone','pending','pending','["f1"]','{"reason":"firing","severity":2,"is_resolved":false,"title":"trainer-a (gpu-1) spent $61.25 on GPU in 24 hours, over the $50.00 threshold","lines":["Billed through 12:00 UTC; at the pace of the last hour, $7.10, the $100.00 threshold is reached by 18:00.","To stop it, look at the two instances below."],"line_urls":[],"lines_below":0,"lines_of_people":0,"fields":[{"name":"Rule","text":"gpu-24h-per-owner"},{"name":"Window","text":"24 hours to 12:00 UTC"},{"name":"Team","text":"research"},{"name":"Next threshold","text":"$100.00 (critical)"}],"table":[{"who":"trainer-a (gpu-1)","what":"H100 80GB · gpu","amount":"$58.00","before":"$20.00"},{"who":"trainer-a (gpu-1)","what":"storage · gpu","amount":"$3.25","before":"no data"}],"table_note":"last 24 hours against the 24 hours before","history":[],"sections":[],"chart":null,"links":[{"text":"Status page","url":"https://alertd.example.com/alerts/0000000000000001"},{"text":"Runbook","url":"https://wiki.example.com/gpu?x=1&y=2"}],"footer":"gpu-24h-per-owner · account default · 0000000000000001","alerts":[{"fingerprint":"0000000000000001","rule":"gpu-24h-per-owner","is_resolved":false,"severity":2,"labels":[["account","default"],["alertname","gpu-24h-per-owner"],["owner","gpu-1"],["severity","warning"]],"annotations":[["description","GPU spend per owner"]],"starts_at":"2026-01-10T12:00:00Z","ends_at":null,"value":"61.25","threshold":"50","unit":"USD","as_of":"2026-01-10T12:00:00Z","expected":null,"url":"https://alertd.example.com/alerts/0000000000000001","episode":0,"acknowledged_by":null,"muted":null,"offer":null}],"slack_owner":"","created_at":"2026-01-10T12:05:00Z","written_at":null,"timezone":"UTC"}','folded',1768046700123457,1768046700123457,0,0,NULL,NULL,1768046700000000,0,0,'','',7);
CREATE TABLE outbox_alert (
    fingerprint TEXT NOT NULL,
    entry_id BIGINT NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    PRIMARY KEY (fingerprint, entry_id)
);
INSERT INTO "outbox_alert" VALUES('58c6f7344ccf0e27',1);
INSERT INTO "outbox_alert" VALUES('c039d74df0ababc6',2);
INSERT INTO "outbox_alert" VALUES('1c00c82c6fe2430d',3);
INSERT INTO "outbox_alert" VALUES('58c6f7344ccf0e27',4);
INSERT INTO "outbox_alert" VALUES('23d90eb40276dd8c',5);
INSERT INTO "outbox_alert" VALUES('5183366cc0dcd8a7',6);
INSERT INTO "outbox_alert" VALUES('f1',7);
INSERT INTO "outbox_alert" VALUES('f1',8);
INSERT INTO "outbox_alert" VALUES('f1',9);
INSERT INTO "outbox_alert" VALUES('f1',10);
INSERT INTO "outbox_alert" VALUES('f1',11);
INSERT INTO "outbox_alert" VALUES('f1',12);
INSERT INTO "outbox_alert" VALUES('f1',13);
CREATE TABLE resource (
    account TEXT NOT NULL,
    id TEXT NOT NULL,
    gone_at BIGINT,
    body TEXT NOT NULL,
    PRIMARY KEY (account, id)
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
INSERT INTO "series" VALUES(0,'default','gpu','Compute','gpu-0','product','','on-demand');
INSERT INTO "series" VALUES(1,'default','gpu','Compute','gpu-1','H100','','on-demand');
INSERT INTO "series" VALUES(2,'default','gpu','Compute','gpu-2','product','','on-demand');
INSERT INTO "series" VALUES(3,'default','llm','Compute','key-7','product','','on-demand');
CREATE TABLE silence (
    id TEXT NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL,
    ends_at BIGINT,
    expired_at BIGINT,
    body TEXT NOT NULL
);
INSERT INTO "silence" VALUES('f643aaad',1768154703792389,1775930703717643,NULL,'{"id":"f643aaad","matchers":[["owner",{"texts":["gpu-2"]}]],"author":"kim","comment":"run 12","created_at":"2026-01-11T18:05:03.792389Z","ends_at":"2026-04-11T18:05:03.717643Z","bound":[],"further":null,"expired_at":null,"expired_by":""}');
INSERT INTO "silence" VALUES('c54545f1',1768154707747493,1768158307724718,NULL,'{"id":"c54545f1","matchers":[["owner",{"texts":["gpu-9"]}]],"author":"dana","comment":"","created_at":"2026-01-11T18:05:07.747493Z","ends_at":"2026-01-11T19:05:07.724718Z","bound":[],"further":null,"expired_at":null,"expired_by":""}');
CREATE TABLE term (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    bought_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    term TEXT NOT NULL
);
CREATE TABLE utilization (
    account TEXT NOT NULL,
    owner TEXT NOT NULL,
    hour BIGINT NOT NULL,
    slots TEXT NOT NULL,
    PRIMARY KEY (account, owner, hour)
);
CREATE INDEX alert_state ON alert (state);
CREATE INDEX alert_event_fingerprint ON alert_event (fingerprint, id);
CREATE INDEX alert_event_happened_at ON alert_event (happened_at);
CREATE INDEX outbox_state ON outbox (state, receiver);
CREATE INDEX outbox_group ON outbox (receiver, recipient, group_name, state);
CREATE INDEX outbox_folded_into ON outbox (folded_into);
CREATE INDEX outbox_alert_entry ON outbox_alert (entry_id);
CREATE INDEX term_bought ON term (account, bought_at);
CREATE INDEX action_request_requested_at ON action_request (requested_at);
CREATE UNIQUE INDEX action_request_open ON action_request (account, owner) WHERE finished_at IS NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('alert_event',10);
INSERT INTO "sqlite_sequence" VALUES('outbox',13);
INSERT INTO "sqlite_sequence" VALUES('cycle',2);
COMMIT;
