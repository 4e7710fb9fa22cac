-- Share of requests, and of calls, that went as they should, hour by hour over the last day.
SELECT
  toStartOfInterval(timestamp, INTERVAL '1' HOUR) AS hour,
  blob1 AS type,
  SUM(_sample_interval) AS total,
  SUM(_sample_interval * double2) / SUM(_sample_interval) AS success_rate
FROM tandem_production
WHERE timestamp > NOW() - INTERVAL '1' DAY
GROUP BY hour, type
ORDER BY hour DESC, type
