-- Fields of an alert are called by the field's own words: what was "told" is "notified".
ALTER TABLE alert RENAME COLUMN told_at TO notified_at;
UPDATE alert SET body = replace(body, '"told_at":', '"notified_at":');
UPDATE alert SET body = replace(body, '"told_value":', '"notified_value":');
UPDATE alert SET body = replace(body, '"told_as_of":', '"notified_as_of":');
UPDATE alert SET body = replace(body, '"told_severity":', '"notified_severity":');
UPDATE alert SET body = replace(body, '"told_count":', '"repeat_count":');
UPDATE alert SET body = replace(body, '"told_to":', '"notified_to":');
