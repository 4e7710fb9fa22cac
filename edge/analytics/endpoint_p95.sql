-- Latency of every endpoint in the last day: median, 95th percentile, and how often it was asked.
SELECT
  blob3 AS method,
  blob2 AS endpoint,
  SUM(_sample_interval) AS requests,
  quantileExactWeighted(0.5)(double1, _sample_interval) AS p50_ms,
  quantileExactWeighted(0.95)(double1, _sample_interval) AS p95_ms
FROM tandem_production
WHERE blob1 = 'request' AND timestamp > NOW() - INTERVAL '1' DAY
GROUP BY method, endpoint
ORDER BY p95_ms DESC
LIMIT 100
