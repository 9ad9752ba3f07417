-- Databricks notebook source
-- MAGIC %md
-- MAGIC # clean_pin
-- MAGIC Cleans the posts of one logical date: bronze `raw` to silver `pin`; what is not a valid post goes to `pin_quarantine`.
-- MAGIC One row per `ind`: the latest valid record stands, by timestamp, offset, partition and element.
-- MAGIC
-- MAGIC Parameters: `schema`, `user_id`, `logical_date`, `invalid_followers` (`quarantine`, or `null` to keep such a post without its follower count).

-- COMMAND ----------

USE IDENTIFIER(:schema);
SET TIME ZONE 'UTC';

-- COMMAND ----------

CREATE TABLE IF NOT EXISTS pin (
  ind BIGINT NOT NULL,
  unique_id STRING NOT NULL,
  title STRING,
  description STRING,
  follower_count BIGINT,
  poster_name STRING,
  tag_list STRING,
  is_image_or_video STRING,
  image_src STRING,
  save_location STRING,
  category STRING,
  logical_date DATE NOT NULL
) USING DELTA
CLUSTER BY (ind);

CREATE TABLE IF NOT EXISTS pin_quarantine (
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
CREATE OR REPLACE TEMPORARY VIEW pin_records AS
WITH landed AS (
  SELECT *, coalesce(elements, array(value)) AS records FROM raw WHERE topic LIKE '%.pin'
), unwrapped AS (
  SELECT logical_date, topic, topic_partition, topic_offset, topic_timestamp, file, value, is_json, element, record
  FROM landed, LATERAL posexplode(records) AS elements(element, record)
), parsed AS (
  SELECT *,
    CASE WHEN is_json AND regexp_like(record, r'^\s*\{') THEN from_json(record, 'index STRING, unique_id STRING, title STRING, description STRING, follower_count STRING, poster_name STRING, tag_list STRING, is_image_or_video STRING, image_src STRING, save_location STRING, category STRING', map('allowSingleQuotes', 'false')) END AS post
  FROM unwrapped
)
SELECT
  logical_date, topic, topic_partition, topic_offset, topic_timestamp, element, file, value,
  CASE
    WHEN post.index IS NULL OR post.unique_id IS NULL THEN 'not a pin record'
    WHEN NOT regexp_like(post.index, r'^[0-9]{1,18}\z') THEN 'index'
    WHEN NOT regexp_like(post.unique_id, r'^[0-9a-fA-F-]{36}\z') THEN 'unique_id'
    WHEN post.follower_count IS NULL OR NOT regexp_like(post.follower_count, r'^[0-9]{1,12}[kM]?\z') THEN 'follower_count'
  END AS reason,
  try_cast(post.index AS BIGINT) AS ind,
  post.unique_id,
  CASE WHEN regexp_like(post.title, r'[^\s\x0b\x1c-\x1f\x85\p{Z}]') AND post.title <> 'No Title Data Available' THEN post.title END AS title,
  CASE WHEN regexp_like(post.description, r'[^\s\x0b\x1c-\x1f\x85\p{Z}]') AND post.description NOT IN ('No description available Story format', 'No description available', 'Untitled', 'Art.') THEN post.description END AS description,
  try_cast(replace(replace(post.follower_count, 'k', '000'), 'M', '000000') AS BIGINT) AS follower_count,
  CASE WHEN regexp_like(post.poster_name, r'[^\s\x0b\x1c-\x1f\x85\p{Z}]') AND post.poster_name <> 'User Info Error' THEN post.poster_name END AS poster_name,
  CASE WHEN regexp_like(post.tag_list, r'[^\s\x0b\x1c-\x1f\x85\p{Z}]') AND post.tag_list <> 'N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e' THEN post.tag_list END AS tag_list,
  CASE WHEN regexp_like(post.is_image_or_video, r'[^\s\x0b\x1c-\x1f\x85\p{Z}]') THEN post.is_image_or_video END AS is_image_or_video,
  CASE WHEN regexp_like(post.image_src, r'[^\s\x0b\x1c-\x1f\x85\p{Z}]') AND post.image_src <> 'Image src error.' THEN post.image_src END AS image_src,
  CASE WHEN regexp_like(regexp_replace(post.save_location, '^Local save in ', ''), r'[^\s\x0b\x1c-\x1f\x85\p{Z}]') THEN regexp_replace(post.save_location, '^Local save in ', '') END AS save_location,
  CASE WHEN regexp_like(post.category, r'[^\s\x0b\x1c-\x1f\x85\p{Z}]') THEN post.category END AS category
FROM parsed;

-- COMMAND ----------

-- DBTITLE 1,What is not a valid record, replaced for the date
INSERT INTO pin_quarantine
REPLACE WHERE logical_date = CAST(:logical_date AS DATE) AND topic = :user_id || '.pin'
SELECT logical_date, topic, topic_partition, topic_offset, element, file, reason, value
FROM pin_records
WHERE logical_date = CAST(:logical_date AS DATE) AND topic = :user_id || '.pin' AND reason IS NOT NULL AND NOT (reason = 'follower_count' AND :invalid_followers = 'null');

-- COMMAND ----------

-- DBTITLE 1,The latest of each; an older date never overwrites a newer one, the same date repairs its own
MERGE INTO pin AS target
USING (
  SELECT ind, unique_id, title, description, CASE WHEN reason IS NULL THEN follower_count END AS follower_count, poster_name, tag_list, is_image_or_video, image_src, save_location, category, logical_date
  FROM pin_records
  WHERE logical_date = CAST(:logical_date AS DATE) AND topic = :user_id || '.pin' AND (reason IS NULL OR reason = 'follower_count' AND :invalid_followers = 'null')
  QUALIFY row_number() OVER (PARTITION BY ind ORDER BY topic_timestamp DESC, topic_offset DESC, topic_partition DESC, element DESC, value DESC) = 1
) AS source
ON target.ind = source.ind
WHEN MATCHED AND source.logical_date >= target.logical_date THEN UPDATE SET *
WHEN NOT MATCHED THEN INSERT *;
