-- Databricks notebook source
-- MAGIC %md
-- MAGIC # load
-- MAGIC Appends the objects that landed for some logical dates to the bronze table `raw`: a row per Kafka record, its text untouched, its place kept.
-- MAGIC A landed object is immutable and is loaded once; running a date again appends only objects that are new.
-- MAGIC
-- MAGIC A line is an envelope: topic, partition, offset, timestamp, key, headers if there are some, and the record's text as `value` (an object or array
-- MAGIC in strict JSON) or `text` (anything else; `more` is the rest of a very long one; null is a tombstone). `elements` are the texts to parse, if they
-- MAGIC are not the value itself.
-- MAGIC Any other line is kept as a text, and its place is the object's name, `topic+partition+offset.json`.
-- MAGIC
-- MAGIC Parameters: `schema`, `raw_path` (root of the landed objects), `user_id` (the topics' prefix), `posts_topic` (the topic of posts),
-- MAGIC `logical_dates` (one or more: `2022-10-17,2022-10-18`).

-- COMMAND ----------

USE IDENTIFIER(:schema);
SET TIME ZONE 'UTC';

-- COMMAND ----------

CREATE TABLE IF NOT EXISTS raw (
  logical_date DATE NOT NULL COMMENT 'Date in which the record landed',
  topic STRING NOT NULL COMMENT 'Kafka topic',
  topic_partition INT NOT NULL COMMENT 'Partition of the topic',
  topic_offset BIGINT NOT NULL COMMENT 'Offset in the partition',
  topic_timestamp BIGINT COMMENT 'Time of the record in Kafka, in milliseconds since 1970',
  file STRING NOT NULL COMMENT 'Name of the landed object',
  key STRING COMMENT 'Key of the record; NULL if it has none',
  headers ARRAY<STRUCT<key: STRING, value: STRING, base64: STRING>> COMMENT 'Headers of the record, in their order; a value that is not UTF-8 is in base64',
  value STRING COMMENT 'Text of the record; NULL if it has no value: a tombstone, which in Kafka deletes what its key had',
  is_json BOOLEAN NOT NULL COMMENT 'Whether the text is JSON that every engine reads alike',
  elements ARRAY<STRING> COMMENT 'Texts of the records to clean, if they are not the value itself'
) USING DELTA
PARTITIONED BY (logical_date, topic)
COMMENT 'Every landed record; rows are only added';

-- COMMAND ----------

-- DBTITLE 1,A line is a record. An object that is in the table already is not read into it again
INSERT INTO raw
WITH lines AS (
  SELECT logical_date, line, file
  FROM (
    SELECT value AS line, _metadata.file_name AS file, CAST(regexp_extract(_metadata.file_path, '^.*/dt=([^/]+)/', 1) AS DATE) AS logical_date
    FROM read_files(
      :raw_path || '/topics/{' || :user_id || '.*,' || :posts_topic || '}/dt={' || :logical_dates || '}/*/*.json',
      format => 'text'
    )
  ) AS landed
  WHERE NOT EXISTS (
    SELECT 1 FROM raw
    WHERE raw.logical_date = landed.logical_date AND raw.file = landed.file
      AND raw.logical_date BETWEEN CAST(array_min(split(:logical_dates, ',')) AS DATE) AND CAST(array_max(split(:logical_dates, ',')) AS DATE)
  )
), parsed AS (
  SELECT logical_date, line, file,
    from_json(line, '`topic` STRING, `partition` INT, `offset` BIGINT, `timestamp` BIGINT, `key` STRING, `headers` ARRAY<STRUCT<`key`: STRING, `value`: STRING, `base64`: STRING>>, `value` STRING, `text` STRING, `more` ARRAY<STRING>, `elements` ARRAY<STRING>', map('allowSingleQuotes', 'false')) AS envelope
  FROM lines
  WHERE line <> ''
), judged AS (
  SELECT *,
    coalesce(
      line LIKE '{"topic":%' AND envelope.`topic` IS NOT NULL AND envelope.`partition` IS NOT NULL AND envelope.`offset` IS NOT NULL
        AND envelope.`timestamp` IS NOT NULL AND (envelope.`value` IS NOT NULL OR envelope.`text` IS NOT NULL OR line LIKE '%,"text":null}'), false) AS enveloped
  FROM parsed
)
SELECT
  logical_date,
  CASE WHEN enveloped THEN envelope.`topic` ELSE split_part(file, '+', 1) END AS topic,
  CASE WHEN enveloped THEN envelope.`partition` ELSE coalesce(try_cast(split_part(file, '+', 2) AS INT), 0) END AS topic_partition,
  CASE WHEN enveloped THEN envelope.`offset` ELSE coalesce(try_cast(split_part(split_part(file, '+', 3), '.', 1) AS BIGINT), 0) END AS topic_offset,
  CASE WHEN enveloped THEN envelope.`timestamp` END AS topic_timestamp,
  file,
  CASE WHEN enveloped THEN envelope.`key` END AS key,
  CASE WHEN enveloped THEN envelope.`headers` END AS headers,
  CASE WHEN enveloped THEN coalesce(envelope.`value`, envelope.`text` || coalesce(array_join(envelope.`more`, ''), '')) ELSE line END AS value,
  enveloped AND envelope.`value` IS NOT NULL AS is_json,
  CASE WHEN enveloped THEN envelope.`elements` END AS elements
FROM judged;
