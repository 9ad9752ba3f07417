-- Databricks notebook source
-- MAGIC %md
-- MAGIC # clean_pin
-- MAGIC Cleans posts of some logical dates: bronze `raw` to silver. It writes one table and creates two views of it.
-- MAGIC
-- MAGIC - `pin_by_date` has, for each date, the latest valid record of each post, and every record that is rejected, with the first reason that
-- MAGIC   applies. A run replaces its dates as a whole, in one statement: the table is a function of what has landed, and of the rules and parameters
-- MAGIC   with which each date was last cleaned.
-- MAGIC - `pin` has one row per `ind`: of the latest date, and within it the latest by timestamp, offset, partition, element, topic and file.
-- MAGIC - `pin_quarantine` has the rejected records.
-- MAGIC
-- MAGIC Records come from the topic `<user_id>.pin` and from that of posts, whose records have the fields of all kinds.
-- MAGIC
-- MAGIC Parameters: `schema`, `user_id`, `posts_topic`, `logical_dates` (one or more: `2022-10-17,2022-10-18`),
-- MAGIC `invalid_followers` (`quarantine`, or `null` to keep such a post without its follower count).

-- COMMAND ----------

USE IDENTIFIER(:schema);
SET TIME ZONE 'UTC';

-- COMMAND ----------

-- DBTITLE 1,Partitioned: two runs of different dates write different partitions, and do not conflict
CREATE TABLE IF NOT EXISTS pin_by_date (
  logical_date DATE NOT NULL COMMENT 'Date in which the record landed',
  topic STRING NOT NULL COMMENT 'Kafka topic',
  topic_partition INT NOT NULL COMMENT 'Partition of the topic',
  topic_offset BIGINT NOT NULL COMMENT 'Offset in the partition',
  element INT NOT NULL COMMENT 'Position in the array that was sent; 0 for the first, or without an array',
  file STRING NOT NULL COMMENT 'Name of the landed object',
  reason STRING COMMENT 'Why the record is rejected; NULL if it is valid',
  value STRING COMMENT 'Text of a rejected record; NULL if it is valid, or a tombstone',
  ind BIGINT COMMENT 'Index of the post',
  unique_id STRING COMMENT 'Id of the post at its source',
  title STRING COMMENT 'Title',
  description STRING COMMENT 'Description',
  follower_count BIGINT COMMENT 'Followers of the poster; NULL if unknown',
  poster_name STRING COMMENT 'Name of the poster',
  tag_list STRING COMMENT 'Tags, with commas between them',
  is_image_or_video STRING COMMENT 'Kind of the post: image, or video and its kind',
  image_src STRING COMMENT 'Address of the image',
  save_location STRING COMMENT 'Directory in which the image was saved',
  category STRING COMMENT 'Category'
) USING DELTA
PARTITIONED BY (logical_date)
COMMENT 'Posts: by date, the latest valid record of each post, and the rejected records';

-- COMMAND ----------

-- DBTITLE 1,The views are not replaced by a run: that would revoke what is granted on them
CREATE VIEW IF NOT EXISTS pin (
  ind COMMENT 'Index of the post',
  unique_id COMMENT 'Id of the post at its source',
  title COMMENT 'Title',
  description COMMENT 'Description',
  follower_count COMMENT 'Followers of the poster; NULL if unknown',
  poster_name COMMENT 'Name of the poster',
  tag_list COMMENT 'Tags, with commas between them',
  is_image_or_video COMMENT 'Kind of the post: image, or video and its kind',
  image_src COMMENT 'Address of the image',
  save_location COMMENT 'Directory in which the image was saved',
  category COMMENT 'Category',
  logical_date COMMENT 'Date in which the row landed'
) COMMENT 'Posts: the latest of each'
AS SELECT ind, unique_id, title, description, follower_count, poster_name, tag_list, is_image_or_video, image_src, save_location, category, logical_date
FROM pin_by_date
WHERE reason IS NULL
QUALIFY row_number() OVER (PARTITION BY ind ORDER BY logical_date DESC) = 1;

CREATE VIEW IF NOT EXISTS pin_quarantine (
  logical_date COMMENT 'Date in which the record landed',
  topic COMMENT 'Kafka topic',
  topic_partition COMMENT 'Partition of the topic',
  topic_offset COMMENT 'Offset in the partition',
  element COMMENT 'Position in the array that was sent; 0 for the first, or without an array',
  file COMMENT 'Name of the landed object',
  reason COMMENT 'Why the record is rejected: the first reason that applies',
  value COMMENT 'Text of the record; NULL if it is a tombstone'
) COMMENT 'Posts: the records that cleaning has rejected'
AS SELECT logical_date, topic, topic_partition, topic_offset, element, file, reason, value
FROM pin_by_date
WHERE reason IS NOT NULL;

-- COMMAND ----------

-- DBTITLE 1,A schema holds one user id: a run replaces whole dates, and the records of another one would be lost
SELECT raise_error('[PINFLOW_OTHER_USER_ID] A schema holds one user id, and pin_by_date has records of ' || topic || ': set PINFLOW_SCHEMA to another schema and run `starter setup`, or set PINFLOW_USER_ID and PINFLOW_POSTS_TOPIC to those of the schema') AS refused
FROM pin_by_date
WHERE topic NOT IN (:user_id || '.pin', :posts_topic)
LIMIT 1;

-- COMMAND ----------

-- DBTITLE 1,Every record, unwrapped, parsed and judged: the first reason that applies
CREATE OR REPLACE TEMPORARY VIEW pin_records AS
WITH landed AS (
  SELECT *, coalesce(elements, array(value)) AS records FROM raw
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

-- DBTITLE 1,Replaces the dates. The condition may only compare with constants, hence a range: other dates within it are written back as they are
INSERT INTO pin_by_date
REPLACE WHERE logical_date BETWEEN CAST(array_min(split(:logical_dates, ',')) AS DATE) AND CAST(array_max(split(:logical_dates, ',')) AS DATE)
WITH judged AS (
  SELECT *, CASE WHEN NOT (reason = 'follower_count' AND :invalid_followers = 'null') THEN reason END AS rejected
  FROM pin_records
  WHERE logical_date BETWEEN CAST(array_min(split(:logical_dates, ',')) AS DATE) AND CAST(array_max(split(:logical_dates, ',')) AS DATE)
    AND array_contains(split(:logical_dates, ','), CAST(logical_date AS STRING)) AND topic IN (:user_id || '.pin', :posts_topic)
), slim AS (
  SELECT logical_date, topic, topic_partition, topic_offset, topic_timestamp, element, file, rejected AS reason, CASE WHEN rejected IS NOT NULL THEN value END AS value,
    ind, unique_id, title, description, CASE WHEN reason IS NULL THEN follower_count END AS follower_count, poster_name, tag_list, is_image_or_video, image_src, save_location, category
  FROM judged
), cleaned AS (
  SELECT logical_date, topic, topic_partition, topic_offset, element, file, reason, value,
    ind, unique_id, title, description, follower_count, poster_name, tag_list, is_image_or_video, image_src, save_location, category
  FROM slim
  QUALIFY reason IS NOT NULL OR row_number() OVER (
    PARTITION BY logical_date, ind, CASE WHEN reason IS NOT NULL THEN topic_offset END
    ORDER BY topic_timestamp DESC, topic_offset DESC, topic_partition DESC, element DESC, topic DESC, file DESC
  ) = 1
)
SELECT * FROM cleaned
UNION ALL
SELECT * FROM pin_by_date
WHERE logical_date BETWEEN CAST(array_min(split(:logical_dates, ',')) AS DATE) AND CAST(array_max(split(:logical_dates, ',')) AS DATE)
  AND NOT array_contains(split(:logical_dates, ','), CAST(logical_date AS STRING));
