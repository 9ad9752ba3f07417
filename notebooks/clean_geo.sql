-- Databricks notebook source
-- MAGIC %md
-- MAGIC # clean_geo
-- MAGIC Cleans where and when the posts of one logical date were made: bronze `raw` to silver `geo`; the rest goes to `geo_quarantine`.
-- MAGIC One row per `ind`: the latest valid record stands, by timestamp, offset, partition and element.
-- MAGIC
-- MAGIC Parameters: `schema`, `user_id`, `logical_date`.

-- COMMAND ----------

USE IDENTIFIER(:schema);
SET TIME ZONE 'UTC';

-- COMMAND ----------

CREATE TABLE IF NOT EXISTS geo (
  ind BIGINT NOT NULL,
  country STRING,
  coordinates ARRAY<DOUBLE> NOT NULL,
  timestamp TIMESTAMP NOT NULL,
  logical_date DATE NOT NULL
) USING DELTA
CLUSTER BY (ind);

CREATE TABLE IF NOT EXISTS geo_quarantine (
  logical_date DATE NOT NULL,
  topic STRING NOT NULL,
  topic_partition INT NOT NULL,
  topic_offset BIGINT NOT NULL,
  element INT NOT NULL,
  file STRING NOT NULL,
  reason STRING NOT NULL,
  value STRING NOT NULL
) USING DELTA
CLUSTER BY (logical_date);

-- COMMAND ----------

-- DBTITLE 1,Every record of the topic, unwrapped, parsed and judged: the first reason that applies
CREATE OR REPLACE TEMPORARY VIEW geo_records AS
WITH landed AS (
  SELECT *, coalesce(elements, array(value)) AS records FROM raw WHERE topic LIKE '%.geo'
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

-- DBTITLE 1,What is not a valid record, replaced for the date
INSERT INTO geo_quarantine
REPLACE WHERE logical_date = CAST(:logical_date AS DATE) AND topic = :user_id || '.geo'
SELECT logical_date, topic, topic_partition, topic_offset, element, file, reason, value
FROM geo_records
WHERE logical_date = CAST(:logical_date AS DATE) AND topic = :user_id || '.geo' AND reason IS NOT NULL;

-- COMMAND ----------

-- DBTITLE 1,The latest of each; an older date never overwrites a newer one, the same date repairs its own
MERGE INTO geo AS target
USING (
  SELECT ind, country, coordinates, timestamp, logical_date
  FROM geo_records
  WHERE logical_date = CAST(:logical_date AS DATE) AND topic = :user_id || '.geo' AND reason IS NULL
  QUALIFY row_number() OVER (PARTITION BY ind ORDER BY topic_timestamp DESC, topic_offset DESC, topic_partition DESC, element DESC, value DESC) = 1
) AS source
ON target.ind = source.ind
WHEN MATCHED AND source.logical_date >= target.logical_date THEN UPDATE SET *
WHEN NOT MATCHED THEN INSERT *;
