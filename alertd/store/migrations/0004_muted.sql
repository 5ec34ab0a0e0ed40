-- Why an alert is muted is a value, where two texts for people were: the silence, the alert that inhibits it, or that
-- no route leads to a receiver. It is made of the silence and of that alert as they are stored, not of their words.
UPDATE alert SET body = substr(alert.body, 1, $find(alert.body, ',"silenced_by":') - 1) || ',"muted":' || COALESCE(
    (
        SELECT '{"kind":"silence","id":"' || silence.id
            || '","by":' || substr(silence.body, $find(silence.body, ',"author":') + 10,
                $find(silence.body, ',"comment":') - $find(silence.body, ',"author":') - 10)
            || ',"until":' || substr(silence.body, $find(silence.body, ',"ends_at":') + 11,
                $find(silence.body, ',"bound":') - $find(silence.body, ',"ends_at":') - 11)
            || ',"further":' || substr(silence.body, $find(silence.body, ',"further":') + 11,
                $find(silence.body, ',"expired_at":') - $find(silence.body, ',"further":') - 11)
            || ',"comment":' || substr(silence.body, $find(silence.body, ',"comment":') + 11,
                $find(silence.body, ',"created_at":') - $find(silence.body, ',"comment":') - 11)
            || '}'
        FROM silence WHERE $find(alert.body, ',"silenced_by":"' || silence.id || ' by ') > 0
    ),
    (
        SELECT '{"kind":"inhibition","id":"' || source.fingerprint || '","by":"' || source.rule
            || '","until":null,"further":null,"comment":' || substr(source.body, $find(source.body, ',"headline":') + 12,
                $find(source.body, ',"episode":') - $find(source.body, ',"headline":') - 12)
            || '}'
        FROM alert AS source
        WHERE $find(alert.body, ',"withheld":"inhibited by ' || source.rule || ' (' || source.fingerprint || '): ') > 0
    ),
    CASE WHEN $find(alert.body, ',"withheld":"no route leads to a receiver"') > 0
        THEN '{"kind":"no receiver","id":"","by":"","until":null,"further":null,"comment":""}'
    END,
    'null'
) || '}'
WHERE $find(alert.body, ',"silenced_by":') > 0;
-- When an alert's condition ended that goes on firing for `keep_firing_for`.
UPDATE alert SET body = replace(body, ',"reason":', ',"condition_ended_at":null,"reason":')
WHERE $find(body, ',"condition_ended_at":') = 0;
