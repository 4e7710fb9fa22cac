-- Share of cached reads each layer answered in the last day, endpoint by endpoint.
SELECT
  blob2 AS endpoint,
  SUM(_sample_interval) AS reads,
  SUM(IF(blob7 = 'HIT-EDGE', _sample_interval, 0)) / SUM(_sample_interval) AS edge_share,
  SUM(IF(blob7 = 'HIT-KV', _sample_interval, 0)) / SUM(_sample_interval) AS kv_share
FROM tandem_production
WHERE blob1 = 'request' AND blob7 != '' AND timestamp > NOW() - INTERVAL '1' DAY
GROUP BY endpoint
ORDER BY reads DESC
