-- Databricks notebook source
-- MAGIC %md
-- MAGIC # clean_user
-- MAGIC Cleans who made the posts, of some logical dates: bronze `raw` to silver. It writes one table and creates two views of it.
-- MAGIC
-- MAGIC - `user_by_date` has, for each date, the latest valid record of each post, and every record that is rejected, with the first reason that
-- MAGIC   applies. A run replaces its dates as a whole, in one statement: the table is a function of what has landed, and of the rules and parameters
-- MAGIC   with which each date was last cleaned.
-- MAGIC - `user` has one row per `ind`: of the latest date, and within it the latest by timestamp, offset, partition, element, topic and file.
-- MAGIC - `user_quarantine` has the rejected records.
-- MAGIC
-- MAGIC Records come from the topic `<user_id>.user` and from that of posts, whose records have the fields of all kinds.
-- MAGIC
-- MAGIC Parameters: `schema`, `user_id`, `posts_topic`, `logical_dates` (one or more: `2022-10-17,2022-10-18`).

-- COMMAND ----------

USE IDENTIFIER(:schema);
SET TIME ZONE 'UTC';

-- COMMAND ----------

-- DBTITLE 1,Partitioned: two runs of different dates write different partitions, and do not conflict
CREATE TABLE IF NOT EXISTS user_by_date (
  logical_date DATE NOT NULL COMMENT 'Date in which the record landed',
  topic STRING NOT NULL COMMENT 'Kafka topic',
  topic_partition INT NOT NULL COMMENT 'Partition of the topic',
  topic_offset BIGINT NOT NULL COMMENT 'Offset in the partition',
  element INT NOT NULL COMMENT 'Position in the array that was sent; 0 for the first, or without an array',
  file STRING NOT NULL COMMENT 'Name of the landed object',
  reason STRING COMMENT 'Why the record is rejected; NULL if it is valid',
  value STRING COMMENT 'Text of a rejected record; NULL if it is valid, or a tombstone',
  ind BIGINT COMMENT 'Index of the post',
  user_name STRING COMMENT 'First and last name',
  age INT COMMENT 'Age in years',
  date_joined TIMESTAMP COMMENT 'Time at which the user joined, UTC'
) USING DELTA
PARTITIONED BY (logical_date)
COMMENT 'Users who made posts: by date, the latest valid record of each post, and the rejected records';

-- COMMAND ----------

-- DBTITLE 1,The views are not replaced by a run: that would revoke what is granted on them
CREATE VIEW IF NOT EXISTS `user` (
  ind COMMENT 'Index of the post',
  user_name COMMENT 'First and last name',
  age COMMENT 'Age in years',
  date_joined COMMENT 'Time at which the user joined, UTC',
  logical_date COMMENT 'Date in which the row landed'
) COMMENT 'Users who made posts: the latest of each'
AS SELECT ind, user_name, age, date_joined, logical_date
FROM user_by_date
WHERE reason IS NULL
QUALIFY row_number() OVER (PARTITION BY ind ORDER BY logical_date DESC) = 1;

CREATE VIEW IF NOT EXISTS user_quarantine (
  logical_date COMMENT 'Date in which the record landed',
  topic COMMENT 'Kafka topic',
  topic_partition COMMENT 'Partition of the topic',
  topic_offset COMMENT 'Offset in the partition',
  element COMMENT 'Position in the array that was sent; 0 for the first, or without an array',
  file COMMENT 'Name of the landed object',
  reason COMMENT 'Why the record is rejected: the first reason that applies',
  value COMMENT 'Text of the record; NULL if it is a tombstone'
) COMMENT 'Users who made posts: the records that cleaning has rejected'
AS SELECT logical_date, topic, topic_partition, topic_offset, element, file, reason, value
FROM user_by_date
WHERE reason IS NOT NULL;

-- COMMAND ----------

-- DBTITLE 1,A schema holds one user id: a run replaces whole dates, and the records of another one would be lost
SELECT raise_error('[PINFLOW_OTHER_USER_ID] A schema holds one user id, and user_by_date has records of ' || topic || ': set PINFLOW_SCHEMA to another schema and run `starter setup`, or set PINFLOW_USER_ID and PINFLOW_POSTS_TOPIC to those of the schema') AS refused
FROM user_by_date
WHERE topic NOT IN (:user_id || '.user', :posts_topic)
LIMIT 1;

-- COMMAND ----------

-- DBTITLE 1,Every record, unwrapped, parsed and judged: the first reason that applies
CREATE OR REPLACE TEMPORARY VIEW user_records AS
WITH landed AS (
  SELECT *, coalesce(elements, array(value)) AS records FROM raw
), unwrapped AS (
  SELECT logical_date, topic, topic_partition, topic_offset, topic_timestamp, file, value, is_json, element, record
  FROM landed, LATERAL posexplode(records) AS elements(element, record)
), parsed AS (
  SELECT *,
    CASE WHEN is_json AND regexp_like(record, r'^\s*\{') THEN from_json(record, 'ind STRING, first_name STRING, last_name STRING, age STRING, date_joined STRING', map('allowSingleQuotes', 'false')) END AS post
  FROM unwrapped
), typed AS (
  SELECT *,
    CASE WHEN regexp_like(post.date_joined, r'^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\z') AND post.date_joined >= '0001' THEN try_cast(post.date_joined AS TIMESTAMP) END AS moment
  FROM parsed
)
SELECT
  logical_date, topic, topic_partition, topic_offset, topic_timestamp, element, file, value,
  CASE
    WHEN post.ind IS NULL OR post.first_name IS NULL THEN 'not a user record'
    WHEN NOT regexp_like(post.ind, r'^[0-9]{1,18}\z') THEN 'ind'
    WHEN post.last_name IS NULL THEN 'user_name'
    WHEN post.age IS NULL OR NOT regexp_like(post.age, r'^[0-9]{1,3}\z') THEN 'age'
    WHEN moment IS NULL THEN 'date_joined'
  END AS reason,
  try_cast(post.ind AS BIGINT) AS ind,
  post.first_name || ' ' || post.last_name AS user_name,
  try_cast(post.age AS INT) AS age,
  moment AS date_joined
FROM typed;

-- COMMAND ----------

-- DBTITLE 1,Replaces the dates. The condition may only compare with constants, hence a range: other dates within it are written back as they are
INSERT INTO user_by_date
REPLACE WHERE logical_date BETWEEN CAST(array_min(split(:logical_dates, ',')) AS DATE) AND CAST(array_max(split(:logical_dates, ',')) AS DATE)
WITH slim AS (
  SELECT logical_date, topic, topic_partition, topic_offset, topic_timestamp, element, file, reason, CASE WHEN reason IS NOT NULL THEN value END AS value,
    ind, user_name, age, date_joined
  FROM user_records
  WHERE logical_date BETWEEN CAST(array_min(split(:logical_dates, ',')) AS DATE) AND CAST(array_max(split(:logical_dates, ',')) AS DATE)
    AND array_contains(split(:logical_dates, ','), CAST(logical_date AS STRING)) AND topic IN (:user_id || '.user', :posts_topic)
), cleaned AS (
  SELECT logical_date, topic, topic_partition, topic_offset, element, file, reason, value,
    ind, user_name, age, date_joined
  FROM slim
  QUALIFY reason IS NOT NULL OR row_number() OVER (
    PARTITION BY logical_date, ind, CASE WHEN reason IS NOT NULL THEN topic_offset END
    ORDER BY topic_timestamp DESC, topic_offset DESC, topic_partition DESC, element DESC, topic DESC, file DESC
  ) = 1
)
SELECT * FROM cleaned
UNION ALL
SELECT * FROM user_by_date
WHERE logical_date BETWEEN CAST(array_min(split(:logical_dates, ',')) AS DATE) AND CAST(array_max(split(:logical_dates, ',')) AS DATE)
  AND NOT array_contains(split(:logical_dates, ','), CAST(logical_date AS STRING));
