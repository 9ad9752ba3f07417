import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkConnector;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;

/** The other side of the benchmark: the least that a sink of Kafka Connect does to land records in S3. */
public class S3Sink extends SinkConnector {
  private Map<String, String> settings;

  @Override public void start(Map<String, String> given) { settings = given; }
  @Override public void stop() {}
  @Override public String version() { return "1"; }
  @Override public Class<? extends Task> taskClass() { return Landing.class; }
  @Override public ConfigDef config() { return new ConfigDef(); }

  @Override public List<Map<String, String>> taskConfigs(int tasks) {
    List<Map<String, String>> all = new ArrayList<>();
    for (int i = 0; i < tasks; i++) {
      all.add(settings);
    }
    return all;
  }

  /** Collects the lines of each partition, and writes an object when it is full or offsets are committed. */
  public static class Landing extends SinkTask {
    private static final int MAX_BYTES = 16 << 20;
    private static final int MAX_RECORDS = 50_000;

    private static class Pending {
      final ByteArrayOutputStream lines = new ByteArrayOutputStream(MAX_BYTES + (1 << 16));
      long start;
      int records;
    }

    private final Map<TopicPartition, Pending> open = new HashMap<>();
    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private JsonConverter json;
    private Map<String, String> settings;

    @Override public void start(Map<String, String> given) {
      settings = given;
      if ("json".equals(given.get("form"))) {
        json = new JsonConverter();
        json.configure(Map.of("schemas.enable", "false"), false);
      }
    }

    @Override public void stop() {}
    @Override public String version() { return "1"; }

    @Override public void put(Collection<SinkRecord> records) {
      for (SinkRecord record : records) {
        TopicPartition place = new TopicPartition(record.topic(), record.kafkaPartition());
        Pending object = open.computeIfAbsent(place, p -> new Pending());
        if (object.records == 0) {
          object.start = record.kafkaOffset();
        }
        object.lines.writeBytes(json == null ? (byte[]) record.value() : json.fromConnectData(record.topic(), null, record.value()));
        object.lines.write('\n');
        if (++object.records == MAX_RECORDS || object.lines.size() >= MAX_BYTES) {
          write(place, object);
        }
      }
    }

    @Override public void flush(Map<TopicPartition, OffsetAndMetadata> offsets) {
      open.forEach((place, object) -> {
        if (object.records > 0) {
          write(place, object);
        }
      });
    }

    private void write(TopicPartition place, Pending object) {
      String key = String.format("/%s/topics/%s/partition=%d/%s+%d+%010d.json", settings.get("bucket"), place.topic(), place.partition(),
          place.topic(), place.partition(), object.start);
      try {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(settings.get("endpoint") + key.replace("+", "%2B").replace("=", "%3D")))
            .PUT(HttpRequest.BodyPublishers.ofByteArray(object.lines.toByteArray()));
        sign(request, key.replace("+", "%2B").replace("=", "%3D"));
        HttpResponse<String> answer = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
          throw new IllegalStateException(answer.statusCode() + " " + answer.body());
        }
      } catch (Exception e) {
        throw new RuntimeException(e);
      }
      object.lines.reset();
      object.records = 0;
    }

    /** Signs a request with version 4 of AWS's signatures, without a checksum of the content. */
    private void sign(HttpRequest.Builder request, String path) throws Exception {
      String now = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC).format(Instant.now());
      String day = now.substring(0, 8);
      String scope = day + "/us-east-1/s3/aws4_request";
      String host = URI.create(settings.get("endpoint")).getAuthority();
      String headers = "host;x-amz-content-sha256;x-amz-date";
      String canonical = "PUT\n" + path + "\n\nhost:" + host + "\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:" + now + "\n\n" + headers + "\nUNSIGNED-PAYLOAD";
      String text = "AWS4-HMAC-SHA256\n" + now + "\n" + scope + "\n" + hex(MessageDigest.getInstance("SHA-256").digest(canonical.getBytes(StandardCharsets.UTF_8)));
      byte[] key = hmac(("AWS4" + settings.get("secret")).getBytes(StandardCharsets.UTF_8), day);
      for (String part : List.of("us-east-1", "s3", "aws4_request")) {
        key = hmac(key, part);
      }
      request.header("x-amz-date", now).header("x-amz-content-sha256", "UNSIGNED-PAYLOAD").header("Authorization",
          "AWS4-HMAC-SHA256 Credential=" + settings.get("access") + "/" + scope + ", SignedHeaders=" + headers + ", Signature=" + hex(hmac(key, text)));
    }

    private static byte[] hmac(byte[] key, String text) throws Exception {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String hex(byte[] bytes) { return HexFormat.of().formatHex(bytes); }
  }
}
