-- Databricks notebook source
-- MAGIC %md
-- MAGIC # clean_user
-- MAGIC Cleans who made the posts of one logical date: bronze `raw` to silver `user`; the rest goes to `user_quarantine`.
-- MAGIC One row per `ind`: the latest valid record stands, by timestamp, offset, partition and element.
-- MAGIC
-- MAGIC Parameters: `schema`, `user_id`, `logical_date`.

-- COMMAND ----------

USE IDENTIFIER(:schema);
SET TIME ZONE 'UTC';

-- COMMAND ----------

CREATE TABLE IF NOT EXISTS `user` (
  ind BIGINT NOT NULL,
  user_name STRING NOT NULL,
  age INT NOT NULL,
  date_joined TIMESTAMP NOT NULL,
  logical_date DATE NOT NULL
) USING DELTA
CLUSTER BY (ind);

CREATE TABLE IF NOT EXISTS user_quarantine (
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
CREATE OR REPLACE TEMPORARY VIEW user_records AS
WITH landed AS (
  SELECT *, coalesce(elements, array(value)) AS records FROM raw WHERE topic LIKE '%.user'
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

-- DBTITLE 1,What is not a valid record, replaced for the date
INSERT INTO user_quarantine
REPLACE WHERE logical_date = CAST(:logical_date AS DATE) AND topic = :user_id || '.user'
SELECT logical_date, topic, topic_partition, topic_offset, element, file, reason, value
FROM user_records
WHERE logical_date = CAST(:logical_date AS DATE) AND topic = :user_id || '.user' AND reason IS NOT NULL;

-- COMMAND ----------

-- DBTITLE 1,The latest of each; an older date never overwrites a newer one, the same date repairs its own
MERGE INTO `user` AS target
USING (
  SELECT ind, user_name, age, date_joined, logical_date
  FROM user_records
  WHERE logical_date = CAST(:logical_date AS DATE) AND topic = :user_id || '.user' AND reason IS NULL
  QUALIFY row_number() OVER (PARTITION BY ind ORDER BY topic_timestamp DESC, topic_offset DESC, topic_partition DESC, element DESC, value DESC) = 1
) AS source
ON target.ind = source.ind
WHEN MATCHED AND source.logical_date >= target.logical_date THEN UPDATE SET *
WHEN NOT MATCHED THEN INSERT *;
