-- Databricks notebook source
-- MAGIC %md
-- MAGIC # load
-- MAGIC Appends the objects that landed for one logical date to the bronze table `raw`: a row per Kafka record, its text untouched, its place kept.
-- MAGIC A landed object is immutable and is loaded once; running a date again appends only objects that are new.
-- MAGIC
-- MAGIC A line is an envelope: topic, partition, offset, timestamp, key, and the record's text as `value` (an object or array in strict JSON) or `text`
-- MAGIC (anything else; `more` is the rest of a very long one). `elements` are the texts to parse, if they are not the value itself.
-- MAGIC Any other line is kept as a text, and its place is the object's name, `topic+partition+offset.json`.
-- MAGIC
-- MAGIC Parameters: `schema`, `raw_path` (root of the landed objects), `user_id` (the topics' prefix), `logical_date`.

-- COMMAND ----------

USE IDENTIFIER(:schema);
SET TIME ZONE 'UTC';

-- COMMAND ----------

CREATE TABLE IF NOT EXISTS raw (
  logical_date DATE NOT NULL,
  topic STRING NOT NULL,
  topic_partition INT NOT NULL,
  topic_offset BIGINT NOT NULL,
  topic_timestamp BIGINT,
  file STRING NOT NULL,
  value STRING NOT NULL,
  is_json BOOLEAN NOT NULL,
  elements ARRAY<STRING>
) USING DELTA
CLUSTER BY (logical_date, topic);

-- COMMAND ----------

-- DBTITLE 1,A line is a record. An object that is in the table already is not read into it again
INSERT INTO raw
WITH lines AS (
  SELECT value AS line, _metadata.file_name AS file
  FROM read_files(
    :raw_path || '/topics/' || :user_id || '.*/dt=' || :logical_date || '/*/*.json',
    format => 'text'
  )
), parsed AS (
  SELECT line, file,
    from_json(line, '`topic` STRING, `partition` INT, `offset` BIGINT, `timestamp` BIGINT, `value` STRING, `text` STRING, `more` ARRAY<STRING>, `elements` ARRAY<STRING>', map('allowSingleQuotes', 'false')) AS envelope
  FROM lines
  WHERE line <> ''
), judged AS (
  SELECT *,
    coalesce(
      line LIKE '{"topic":%' AND envelope.`topic` IS NOT NULL AND envelope.`partition` IS NOT NULL AND envelope.`offset` IS NOT NULL
        AND envelope.`timestamp` IS NOT NULL AND (envelope.`value` IS NOT NULL OR envelope.`text` IS NOT NULL), false) AS enveloped
  FROM parsed
)
SELECT
  CAST(:logical_date AS DATE) AS logical_date,
  CASE WHEN enveloped THEN envelope.`topic` ELSE split_part(file, '+', 1) END AS topic,
  CASE WHEN enveloped THEN envelope.`partition` ELSE coalesce(try_cast(split_part(file, '+', 2) AS INT), 0) END AS topic_partition,
  CASE WHEN enveloped THEN envelope.`offset` ELSE coalesce(try_cast(split_part(split_part(file, '+', 3), '.', 1) AS BIGINT), 0) END AS topic_offset,
  CASE WHEN enveloped THEN envelope.`timestamp` END AS topic_timestamp,
  file,
  CASE WHEN enveloped THEN coalesce(envelope.`value`, envelope.`text` || coalesce(array_join(envelope.`more`, ''), '')) ELSE line END AS value,
  enveloped AND envelope.`value` IS NOT NULL AS is_json,
  CASE WHEN enveloped THEN envelope.`elements` END AS elements
FROM judged
WHERE file NOT IN (SELECT file FROM raw WHERE logical_date = CAST(:logical_date AS DATE));
