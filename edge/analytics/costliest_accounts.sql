-- Accounts by what their calls cost in the last 30 days.
SELECT
  blob5 AS account_id,
  SUM(_sample_interval) AS calls,
  SUM(_sample_interval * double3) / 1000000 AS credits,
  SUM(_sample_interval * double1) / 60000 AS minutes
FROM tandem_production
WHERE blob1 = 'call' AND timestamp > NOW() - INTERVAL '30' DAY
GROUP BY account_id
ORDER BY credits DESC
LIMIT 50
