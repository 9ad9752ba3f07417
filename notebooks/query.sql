-- Databricks notebook source
-- MAGIC %md
-- MAGIC # query
-- MAGIC The answers, each a gold table of the same name. Ties are all kept, medians are exact.
-- MAGIC
-- MAGIC Silver keeps each date's version of a post, and its views choose the latest. `posts` does that once for all answers. Each table is replaced as a
-- MAGIC whole, in one statement: whoever reads it sees the answer of before or the new one.
-- MAGIC
-- MAGIC The answers are of all dates. Parameters: `schema`; `logical_dates`, `run_id` and `notebook_hash`, which `answers_made_by` keeps.

-- COMMAND ----------

USE IDENTIFIER(:schema);
SET TIME ZONE 'UTC';

-- COMMAND ----------

-- DBTITLE 1,Every post, with its place and its user if they are known
CREATE TABLE IF NOT EXISTS posts (
  ind BIGINT NOT NULL COMMENT 'Index of the post',
  category STRING COMMENT 'Category',
  poster_name STRING COMMENT 'Name of the poster',
  follower_count BIGINT COMMENT 'Followers of the poster',
  country STRING COMMENT 'Country of the post',
  post_year INT COMMENT 'Year of the post',
  age_group STRING COMMENT 'Age of the user: 18-24, 25-35, 36-50 or 50+',
  joining_year INT COMMENT 'Year in which the user joined'
) USING DELTA
COMMENT 'The posts from which the answers are made: the latest version of each';

INSERT OVERWRITE posts
SELECT
  pin.ind, pin.category, pin.poster_name, pin.follower_count, geo.country, year(geo.timestamp) AS post_year,
  CASE
    WHEN `user`.age BETWEEN 18 AND 24 THEN '18-24'
    WHEN `user`.age BETWEEN 25 AND 35 THEN '25-35'
    WHEN `user`.age BETWEEN 36 AND 50 THEN '36-50'
    WHEN `user`.age > 50 THEN '50+'
  END AS age_group,
  year(`user`.date_joined) AS joining_year
FROM pin
LEFT JOIN geo ON pin.ind = geo.ind
LEFT JOIN `user` ON pin.ind = `user`.ind;

-- COMMAND ----------

-- DBTITLE 1,1. The most popular category in each country
CREATE TABLE IF NOT EXISTS most_popular_category_by_country (
  country STRING COMMENT 'Country',
  category STRING COMMENT 'Category',
  category_count BIGINT COMMENT 'Posts of the category'
) USING DELTA
COMMENT 'The most popular category in each country';

INSERT OVERWRITE most_popular_category_by_country
WITH counted AS (
  SELECT country, category, count(*) AS category_count FROM posts WHERE country IS NOT NULL AND category IS NOT NULL GROUP BY ALL
)
SELECT country, category, category_count FROM counted
QUALIFY rank() OVER (PARTITION BY country ORDER BY category_count DESC) = 1;

-- COMMAND ----------

-- DBTITLE 1,2. The most popular category in each year
CREATE TABLE IF NOT EXISTS most_popular_category_by_year (
  post_year INT COMMENT 'Year of the post',
  category STRING COMMENT 'Category',
  category_count BIGINT COMMENT 'Posts of the category'
) USING DELTA
COMMENT 'The most popular category in each year, 2018 to 2022';

INSERT OVERWRITE most_popular_category_by_year
WITH counted AS (
  SELECT post_year, category, count(*) AS category_count FROM posts WHERE post_year BETWEEN 2018 AND 2022 AND category IS NOT NULL GROUP BY ALL
)
SELECT post_year, category, category_count FROM counted
QUALIFY rank() OVER (PARTITION BY post_year ORDER BY category_count DESC) = 1;

-- COMMAND ----------

-- DBTITLE 1,3. The user with the most followers in each country, and where the most followed of all lives
CREATE TABLE IF NOT EXISTS most_followed_user_by_country (
  country STRING COMMENT 'Country',
  poster_name STRING COMMENT 'Name of the poster',
  follower_count BIGINT COMMENT 'Followers'
) USING DELTA
COMMENT 'The user with the most followers in each country';

INSERT OVERWRITE most_followed_user_by_country
WITH users AS (
  SELECT country, poster_name, max(follower_count) AS follower_count FROM posts
  WHERE country IS NOT NULL AND poster_name IS NOT NULL AND follower_count IS NOT NULL GROUP BY ALL
)
SELECT country, poster_name, follower_count FROM users
QUALIFY rank() OVER (PARTITION BY country ORDER BY follower_count DESC) = 1;

CREATE TABLE IF NOT EXISTS country_of_most_followed_user (
  country STRING COMMENT 'Country',
  follower_count BIGINT COMMENT 'Followers'
) USING DELTA
COMMENT 'The country of the user with the most followers of all';

INSERT OVERWRITE country_of_most_followed_user
SELECT DISTINCT country, follower_count
FROM most_followed_user_by_country
WHERE follower_count = (SELECT max(follower_count) FROM most_followed_user_by_country);

-- COMMAND ----------

-- DBTITLE 1,4. The most popular category in each age group
CREATE TABLE IF NOT EXISTS most_popular_category_by_age_group (
  age_group STRING COMMENT 'Age of the user: 18-24, 25-35, 36-50 or 50+',
  category STRING COMMENT 'Category',
  category_count BIGINT COMMENT 'Posts of the category'
) USING DELTA
COMMENT 'The most popular category in each age group';

INSERT OVERWRITE most_popular_category_by_age_group
WITH counted AS (
  SELECT age_group, category, count(*) AS category_count FROM posts WHERE age_group IS NOT NULL AND category IS NOT NULL GROUP BY ALL
)
SELECT age_group, category, category_count FROM counted
QUALIFY rank() OVER (PARTITION BY age_group ORDER BY category_count DESC) = 1;

-- COMMAND ----------

-- DBTITLE 1,5. The median follower count in each age group
CREATE TABLE IF NOT EXISTS median_followers_by_age_group (
  age_group STRING COMMENT 'Age of the user: 18-24, 25-35, 36-50 or 50+',
  median_follower_count DOUBLE COMMENT 'Median of the followers'
) USING DELTA
COMMENT 'The median follower count in each age group';

INSERT OVERWRITE median_followers_by_age_group
SELECT age_group, median(follower_count) AS median_follower_count
FROM posts
WHERE age_group IS NOT NULL AND follower_count IS NOT NULL
GROUP BY age_group;

-- COMMAND ----------

-- DBTITLE 1,6. How many users joined in each year
CREATE TABLE IF NOT EXISTS users_joined_by_year (
  post_year INT COMMENT 'Year in which the user joined',
  number_users_joined BIGINT COMMENT 'Users who joined in the year'
) USING DELTA
COMMENT 'How many users joined in each year, 2015 to 2020';

INSERT OVERWRITE users_joined_by_year
SELECT post_year, count(*) AS number_users_joined
FROM (SELECT DISTINCT year(date_joined) AS post_year, user_name, age, date_joined FROM `user`) AS joined
WHERE post_year BETWEEN 2015 AND 2020
GROUP BY post_year;

-- COMMAND ----------

-- DBTITLE 1,7. The median follower count by year of joining
CREATE TABLE IF NOT EXISTS median_followers_by_joining_year (
  post_year INT COMMENT 'Year in which the user joined',
  median_follower_count DOUBLE COMMENT 'Median of the followers'
) USING DELTA
COMMENT 'The median follower count by year of joining, 2015 to 2020';

INSERT OVERWRITE median_followers_by_joining_year
SELECT joining_year AS post_year, median(follower_count) AS median_follower_count
FROM posts
WHERE joining_year BETWEEN 2015 AND 2020 AND follower_count IS NOT NULL
GROUP BY joining_year;

-- COMMAND ----------

-- DBTITLE 1,8. The median follower count by year of joining and age group
CREATE TABLE IF NOT EXISTS median_followers_by_joining_year_and_age_group (
  age_group STRING COMMENT 'Age of the user: 18-24, 25-35, 36-50 or 50+',
  post_year INT COMMENT 'Year in which the user joined',
  median_follower_count DOUBLE COMMENT 'Median of the followers'
) USING DELTA
COMMENT 'The median follower count by year of joining, 2015 to 2020, and age group';

INSERT OVERWRITE median_followers_by_joining_year_and_age_group
SELECT age_group, joining_year AS post_year, median(follower_count) AS median_follower_count
FROM posts
WHERE age_group IS NOT NULL AND joining_year BETWEEN 2015 AND 2020 AND follower_count IS NOT NULL
GROUP BY age_group, joining_year;

-- COMMAND ----------

-- DBTITLE 1,The run that made the answers. It comes last: what is written here has made them all
CREATE TABLE IF NOT EXISTS answers_made_by (
  logical_dates STRING COMMENT 'Logical dates of the run, with commas between them',
  run_id STRING COMMENT 'Temporal run id of the first of them',
  notebook_hash STRING COMMENT 'SHA-256 of the source of the notebook, in hex',
  made_at TIMESTAMP COMMENT 'When the answers were made, in UTC'
) USING DELTA
COMMENT 'The run that made the answers';

INSERT OVERWRITE answers_made_by
SELECT :logical_dates AS logical_dates, :run_id AS run_id, :notebook_hash AS notebook_hash, current_timestamp() AS made_at;
