-- How long callers waited for an answer on each node in the last day (median of a call's turns).
SELECT
  blob2 AS node,
  SUM(_sample_interval) AS calls,
  quantileExactWeighted(0.5)(double4, _sample_interval) AS p50_ms,
  quantileExactWeighted(0.95)(double4, _sample_interval) AS p95_ms
FROM tandem_production
WHERE blob1 = 'call' AND double5 > 0 AND timestamp > NOW() - INTERVAL '1' DAY
GROUP BY node
ORDER BY p95_ms DESC
