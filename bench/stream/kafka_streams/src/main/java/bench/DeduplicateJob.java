package bench;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** The job of bench/stream/job.py on Kafka Streams; settings come from the same environment variables. */
public final class DeduplicateJob {
    private static final long GAP_MS = 10_000;
    private static final int HEADER_BYTES = 5;
    private static final byte[] EVENT_HEADER = {0, 0, 0, 0, 2};
    private static final String STORE = "last";
    private static final List<String> COPIED =
        List.of("event_id", "captured_at", "camera_id", "plate", "confidence", "region", "image_key");

    private static final Schema READ = SchemaBuilder.record("PlateRead").fields()
        .requiredString("event_id").requiredLong("captured_at").requiredString("camera_id").requiredLong("track_id")
        .requiredString("plate").requiredFloat("confidence").optionalString("region").requiredString("image_key")
        .endRecord();
    private static final Schema EVENT = SchemaBuilder.record("PlateEvent").fields()
        .requiredString("event_id").requiredLong("captured_at").requiredString("camera_id").requiredString("plate")
        .requiredString("match_key").requiredFloat("confidence").optionalString("region").requiredString("image_key")
        .endRecord();

    private DeduplicateJob() { }

    public static void main(String[] arguments) {
        Properties settings = new Properties();
        settings.put("application.id", env("BENCH_RUN"));
        settings.put("bootstrap.servers", env("BENCH_KAFKA"));
        settings.put("state.dir", env("BENCH_STATE"));
        settings.put("num.stream.threads", "1");
        settings.put("processing.guarantee", "at_least_once");
        settings.put("commit.interval.ms", env("BENCH_COMMIT_MS"));
        settings.put("replication.factor", "1");
        settings.put("auto.offset.reset", "earliest");
        settings.put("producer.acks", "all");
        settings.put("producer.compression.type", "none");
        settings.put("producer.linger.ms", env("BENCH_LINGER_MS"));

        StoreBuilder<KeyValueStore<String, Long>> store = Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore(STORE), Serdes.String(), Serdes.Long());
        if (env("BENCH_CACHE").equals("on")) {
            store = store.withCachingEnabled();
        }
        ProcessorSupplier<byte[], byte[], String, byte[]> deduplicate = Deduplicate::new;
        Topology topology = new Topology()
            .addSource("reads", new ByteArrayDeserializer(), new ByteArrayDeserializer(), env("BENCH_SOURCE"))
            .addProcessor("deduplicate", deduplicate, "reads")
            .addStateStore(store, "deduplicate")
            .addSink("events", env("BENCH_EVENTS"), new StringSerializer(), new ByteArraySerializer(), "deduplicate");
        KafkaStreams streams = new KafkaStreams(topology, settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    /** A read becomes an event unless its camera read its plate a moment ago. */
    private static final class Deduplicate implements Processor<byte[], byte[], String, byte[]> {
        private final GenericDatumReader<GenericRecord> reader = new GenericDatumReader<>(READ);
        private final GenericDatumWriter<GenericRecord> writer = new GenericDatumWriter<>(EVENT);
        private final ByteArrayOutputStream out = new ByteArrayOutputStream(256);
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, Long> lastSeen;
        private BinaryDecoder decoder;
        private BinaryEncoder encoder;
        private GenericRecord read;
        private boolean marked;

        @Override
        public void init(ProcessorContext<String, byte[]> context) {
            this.context = context;
            lastSeen = context.getStateStore(STORE);
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            if (!marked) {
                marked = true;
                mark();
            }
            try {
                byte[] value = record.value();
                decoder = DecoderFactory.get().binaryDecoder(value, HEADER_BYTES, value.length - HEADER_BYTES, decoder);
                read = reader.read(read, decoder);
                String plate = fold(read.get("plate").toString());
                String key = read.get("camera_id") + "|" + plate;
                long time = (Long) read.get("captured_at");
                Long last = lastSeen.get(key);
                lastSeen.put(key, time);
                if (last == null || time - last > GAP_MS) {
                    context.forward(record.withKey(plate).withValue(encode(plate)));
                }
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }

        private byte[] encode(String plate) throws IOException {
            GenericRecord event = new GenericData.Record(EVENT);
            for (String field : COPIED) {
                event.put(field, read.get(field));
            }
            event.put("match_key", plate);
            out.reset();
            out.write(EVENT_HEADER);
            encoder = EncoderFactory.get().directBinaryEncoder(out, encoder);
            writer.write(event, encoder);
            encoder.flush();
            return out.toByteArray();
        }
    }

    private static String fold(String plate) {
        String upper = plate.strip().toUpperCase(Locale.ROOT);
        StringBuilder folded = new StringBuilder(upper.length());
        for (int i = 0; i < upper.length(); i++) {
            char c = upper.charAt(i);
            switch (c) {
                case 'O' -> folded.append('0');
                case 'I' -> folded.append('1');
                case 'B' -> folded.append('8');
                case 'S' -> folded.append('5');
                case 'Z' -> folded.append('2');
                case ' ', '-' -> { }
                default -> folded.append(c);
            }
        }
        return folded.toString();
    }

    /** As bench/stream/mark.py: the first record's time, and the CPU time of the process until then. */
    private static synchronized void mark() {
        Path path = Path.of(env("BENCH_MARK"));
        if (Files.exists(path)) {
            return; // another partition's task was first
        }
        try {
            double cpuS = ProcessHandle.current().info().totalCpuDuration().orElse(Duration.ZERO).toNanos() / 1e9;
            String text = String.format(Locale.ROOT, "{\"wall_s\": %.6f, \"cpu_s\": %.3f}", monotonicS(), cpuS);
            Path partial = path.resolveSibling(path.getFileName() + ".partial");
            Files.writeString(partial, text);
            Files.move(partial, path, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** System.nanoTime is CLOCK_MONOTONIC on Linux (HotSpot's os::javaTimeNanos), as Python's time.monotonic. */
    private static double monotonicS() {
        return System.nanoTime() / 1e9;
    }

    private static String env(String name) {
        String value = System.getenv(name);
        if (value == null) {
            throw new IllegalStateException(name + " is not set");
        }
        return value;
    }
}
