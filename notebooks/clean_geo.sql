-- Databricks notebook source
-- MAGIC %md
-- MAGIC # clean_geo
-- MAGIC Cleans where and when the posts were made, of some logical dates: bronze `raw` to silver. It writes one table and creates two views of it.
-- MAGIC
-- MAGIC - `geo_by_date` has, for each date, the latest valid record of each post, and every record that is rejected, with the first reason that
-- MAGIC   applies. A run replaces its dates as a whole, in one statement: the table is a function of what has landed, and of the rules and parameters
-- MAGIC   with which each date was last cleaned.
-- MAGIC - `geo` has one row per `ind`: of the latest date, and within it the latest by timestamp, offset, partition, element, topic and file.
-- MAGIC - `geo_quarantine` has the rejected records.
-- MAGIC
-- MAGIC Records come from the topic `<user_id>.geo` and from that of posts, whose records have the fields of all kinds.
-- MAGIC
-- MAGIC Parameters: `schema`, `user_id`, `posts_topic`, `logical_dates` (one or more: `2022-10-17,2022-10-18`).

-- COMMAND ----------

USE IDENTIFIER(:schema);
SET TIME ZONE 'UTC';

-- COMMAND ----------

-- DBTITLE 1,Partitioned: two runs of different dates write different partitions, and do not conflict
CREATE TABLE IF NOT EXISTS geo_by_date (
  logical_date DATE NOT NULL COMMENT 'Date in which the record landed',
  topic STRING NOT NULL COMMENT 'Kafka topic',
  topic_partition INT NOT NULL COMMENT 'Partition of the topic',
  topic_offset BIGINT NOT NULL COMMENT 'Offset in the partition',
  element INT NOT NULL COMMENT 'Position in the array that was sent; 0 for the first, or without an array',
  file STRING NOT NULL COMMENT 'Name of the landed object',
  reason STRING COMMENT 'Why the record is rejected; NULL if it is valid',
  value STRING COMMENT 'Text of a rejected record; NULL if it is valid, or a tombstone',
  ind BIGINT COMMENT 'Index of the post',
  country STRING COMMENT 'Country',
  coordinates ARRAY<DOUBLE> COMMENT 'Longitude and latitude, in degrees',
  timestamp TIMESTAMP COMMENT 'Time of the post, UTC'
) USING DELTA
PARTITIONED BY (logical_date)
COMMENT 'Places and times of posts: by date, the latest valid record of each post, and the rejected records';

-- COMMAND ----------

-- DBTITLE 1,The views are not replaced by a run: that would revoke what is granted on them
CREATE VIEW IF NOT EXISTS geo (
  ind COMMENT 'Index of the post',
  country COMMENT 'Country',
  coordinates COMMENT 'Longitude and latitude, in degrees',
  timestamp COMMENT 'Time of the post, UTC',
  logical_date COMMENT 'Date in which the row landed'
) COMMENT 'Places and times of posts: the latest of each'
AS SELECT ind, country, coordinates, timestamp, logical_date
FROM geo_by_date
WHERE reason IS NULL
QUALIFY row_number() OVER (PARTITION BY ind ORDER BY logical_date DESC) = 1;

CREATE VIEW IF NOT EXISTS geo_quarantine (
  logical_date COMMENT 'Date in which the record landed',
  topic COMMENT 'Kafka topic',
  topic_partition COMMENT 'Partition of the topic',
  topic_offset COMMENT 'Offset in the partition',
  element COMMENT 'Position in the array that was sent; 0 for the first, or without an array',
  file COMMENT 'Name of the landed object',
  reason COMMENT 'Why the record is rejected: the first reason that applies',
  value COMMENT 'Text of the record; NULL if it is a tombstone'
) COMMENT 'Places and times of posts: the records that cleaning has rejected'
AS SELECT logical_date, topic, topic_partition, topic_offset, element, file, reason, value
FROM geo_by_date
WHERE reason IS NOT NULL;

-- COMMAND ----------

-- DBTITLE 1,A schema holds one user id: a run replaces whole dates, and the records of another one would be lost
SELECT raise_error('[PINFLOW_OTHER_USER_ID] A schema holds one user id, and geo_by_date has records of ' || topic || ': set PINFLOW_SCHEMA to another schema and run `starter setup`, or set PINFLOW_USER_ID and PINFLOW_POSTS_TOPIC to those of the schema') AS refused
FROM geo_by_date
WHERE topic NOT IN (:user_id || '.geo', :posts_topic)
LIMIT 1;

-- COMMAND ----------

-- DBTITLE 1,Every record, unwrapped, parsed and judged: the first reason that applies
CREATE OR REPLACE TEMPORARY VIEW geo_records AS
WITH landed AS (
  SELECT *, coalesce(elements, array(value)) AS records FROM raw
), unwrapped AS (
  SELECT logical_date, topic, topic_partition, topic_offset, topic_timestamp, file, value, is_json, element, record
  FROM landed, LATERAL posexplode(records) AS elements(element, record)
), parsed AS (
  SELECT *,
    CASE WHEN is_json AND regexp_like(record, r'^\s*\{') THEN from_json(record, 'ind STRING, timestamp STRING, latitude STRING, longitude STRING, country STRING', map('allowSingleQuotes', 'false')) END AS post
  FROM unwrapped
), typed AS (
  SELECT *,
    CASE WHEN regexp_like(post.timestamp, r'^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\z') AND post.timestamp >= '0001' THEN try_cast(post.timestamp AS TIMESTAMP) END AS moment
  FROM parsed
)
SELECT
  logical_date, topic, topic_partition, topic_offset, topic_timestamp, element, file, value,
  CASE
    WHEN post.ind IS NULL OR post.latitude IS NULL THEN 'not a geo record'
    WHEN NOT regexp_like(post.ind, r'^[0-9]{1,18}\z') THEN 'ind'
    WHEN NOT regexp_like(post.latitude, r'^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?\z') OR NOT coalesce(abs(try_cast(post.latitude AS DOUBLE)) <= 1.7976931348623157e308, false) THEN 'coordinates'
    WHEN post.longitude IS NULL OR NOT regexp_like(post.longitude, r'^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?\z') OR NOT coalesce(abs(try_cast(post.longitude AS DOUBLE)) <= 1.7976931348623157e308, false) THEN 'coordinates'
    WHEN moment IS NULL THEN 'timestamp'
  END AS reason,
  try_cast(post.ind AS BIGINT) AS ind,
  CASE WHEN regexp_like(post.country, r'[^\s\x0b\x1c-\x1f\x85\p{Z}]') THEN post.country END AS country,
  array(try_cast(post.longitude AS DOUBLE), try_cast(post.latitude AS DOUBLE)) AS coordinates,
  moment AS timestamp
FROM typed;

-- COMMAND ----------

-- DBTITLE 1,Replaces the dates. The condition may only compare with constants, hence a range: other dates within it are written back as they are
INSERT INTO geo_by_date
REPLACE WHERE logical_date BETWEEN CAST(array_min(split(:logical_dates, ',')) AS DATE) AND CAST(array_max(split(:logical_dates, ',')) AS DATE)
WITH slim AS (
  SELECT logical_date, topic, topic_partition, topic_offset, topic_timestamp, element, file, reason, CASE WHEN reason IS NOT NULL THEN value END AS value,
    ind, country, coordinates, timestamp
  FROM geo_records
  WHERE logical_date BETWEEN CAST(array_min(split(:logical_dates, ',')) AS DATE) AND CAST(array_max(split(:logical_dates, ',')) AS DATE)
    AND array_contains(split(:logical_dates, ','), CAST(logical_date AS STRING)) AND topic IN (:user_id || '.geo', :posts_topic)
), cleaned AS (
  SELECT logical_date, topic, topic_partition, topic_offset, element, file, reason, value,
    ind, country, coordinates, timestamp
  FROM slim
  QUALIFY reason IS NOT NULL OR row_number() OVER (
    PARTITION BY logical_date, ind, CASE WHEN reason IS NOT NULL THEN topic_offset END
    ORDER BY topic_timestamp DESC, topic_offset DESC, topic_partition DESC, element DESC, topic DESC, file DESC
  ) = 1
)
SELECT * FROM cleaned
UNION ALL
SELECT * FROM geo_by_date
WHERE logical_date BETWEEN CAST(array_min(split(:logical_dates, ',')) AS DATE) AND CAST(array_max(split(:logical_dates, ',')) AS DATE)
  AND NOT array_contains(split(:logical_dates, ','), CAST(logical_date AS STRING));
