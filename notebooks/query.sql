-- Databricks notebook source
-- MAGIC %md
-- MAGIC # query
-- MAGIC The answers, each a gold table of the same name. Ties are all kept, medians are exact.
-- MAGIC
-- MAGIC Parameters: `schema`.

-- COMMAND ----------

USE IDENTIFIER(:schema);
SET TIME ZONE 'UTC';

-- COMMAND ----------

CREATE OR REPLACE TEMPORARY VIEW posts_by_place AS
SELECT geo.country, year(geo.timestamp) AS post_year, pin.category, pin.poster_name, pin.follower_count
FROM pin JOIN geo ON pin.ind = geo.ind;

CREATE OR REPLACE TEMPORARY VIEW posts_by_user AS
SELECT
  CASE
    WHEN `user`.age BETWEEN 18 AND 24 THEN '18-24'
    WHEN `user`.age BETWEEN 25 AND 35 THEN '25-35'
    WHEN `user`.age BETWEEN 36 AND 50 THEN '36-50'
    WHEN `user`.age > 50 THEN '50+'
  END AS age_group,
  year(`user`.date_joined) AS post_year, pin.category, pin.follower_count
FROM pin JOIN `user` ON pin.ind = `user`.ind;

-- COMMAND ----------

-- DBTITLE 1,1. The most popular category in each country
CREATE OR REPLACE TABLE most_popular_category_by_country USING DELTA AS
WITH counted AS (
  SELECT country, category, count(*) AS category_count FROM posts_by_place WHERE country IS NOT NULL AND category IS NOT NULL GROUP BY ALL
)
SELECT * FROM counted
QUALIFY rank() OVER (PARTITION BY country ORDER BY category_count DESC) = 1;

-- COMMAND ----------

-- DBTITLE 1,2. The most popular category in each year
CREATE OR REPLACE TABLE most_popular_category_by_year USING DELTA AS
WITH counted AS (
  SELECT post_year, category, count(*) AS category_count FROM posts_by_place WHERE post_year BETWEEN 2018 AND 2022 AND category IS NOT NULL GROUP BY ALL
)
SELECT * FROM counted
QUALIFY rank() OVER (PARTITION BY post_year ORDER BY category_count DESC) = 1;

-- COMMAND ----------

-- DBTITLE 1,3. The user with the most followers in each country, and where the most followed of all lives
CREATE OR REPLACE TABLE most_followed_user_by_country USING DELTA AS
WITH users AS (
  SELECT country, poster_name, max(follower_count) AS follower_count FROM posts_by_place
  WHERE country IS NOT NULL AND poster_name IS NOT NULL AND follower_count IS NOT NULL GROUP BY ALL
)
SELECT * FROM users
QUALIFY rank() OVER (PARTITION BY country ORDER BY follower_count DESC) = 1;

CREATE OR REPLACE TABLE country_of_most_followed_user USING DELTA AS
SELECT DISTINCT country, follower_count
FROM most_followed_user_by_country
WHERE follower_count = (SELECT max(follower_count) FROM most_followed_user_by_country);

-- COMMAND ----------

-- DBTITLE 1,4. The most popular category in each age group
CREATE OR REPLACE TABLE most_popular_category_by_age_group USING DELTA AS
WITH counted AS (
  SELECT age_group, category, count(*) AS category_count FROM posts_by_user WHERE age_group IS NOT NULL AND category IS NOT NULL GROUP BY ALL
)
SELECT * FROM counted
QUALIFY rank() OVER (PARTITION BY age_group ORDER BY category_count DESC) = 1;

-- COMMAND ----------

-- DBTITLE 1,5. The median follower count in each age group
CREATE OR REPLACE TABLE median_followers_by_age_group USING DELTA AS
SELECT age_group, median(follower_count) AS median_follower_count
FROM posts_by_user
WHERE age_group IS NOT NULL AND follower_count IS NOT NULL
GROUP BY age_group;

-- COMMAND ----------

-- DBTITLE 1,6. How many users joined in each year
CREATE OR REPLACE TABLE users_joined_by_year USING DELTA AS
SELECT post_year, count(*) AS number_users_joined
FROM (SELECT DISTINCT year(date_joined) AS post_year, user_name, age, date_joined FROM `user`) AS joined
WHERE post_year BETWEEN 2015 AND 2020
GROUP BY post_year;

-- COMMAND ----------

-- DBTITLE 1,7. The median follower count by year of joining
CREATE OR REPLACE TABLE median_followers_by_joining_year USING DELTA AS
SELECT post_year, median(follower_count) AS median_follower_count
FROM posts_by_user
WHERE post_year BETWEEN 2015 AND 2020 AND follower_count IS NOT NULL
GROUP BY post_year;

-- COMMAND ----------

-- DBTITLE 1,8. The median follower count by year of joining and age group
CREATE OR REPLACE TABLE median_followers_by_joining_year_and_age_group USING DELTA AS
SELECT age_group, post_year, median(follower_count) AS median_follower_count
FROM posts_by_user
WHERE age_group IS NOT NULL AND post_year BETWEEN 2015 AND 2020 AND follower_count IS NOT NULL
GROUP BY age_group, post_year;
