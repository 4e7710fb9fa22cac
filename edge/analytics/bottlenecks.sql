-- Which step requests waited longest for in the last day, endpoint by endpoint.
SELECT
  blob2 AS endpoint,
  blob8 AS step,
  SUM(_sample_interval) AS requests,
  quantileExactWeighted(0.95)(double4, _sample_interval) AS p95_wait_ms
FROM tandem_production
WHERE blob1 = 'request' AND blob8 != '' AND timestamp > NOW() - INTERVAL '1' DAY
GROUP BY endpoint, step
ORDER BY p95_wait_ms DESC
LIMIT 100
