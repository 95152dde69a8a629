import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import org.apache.lucene.analysis.Analyzer;
import org.opensearch.Version;
import org.opensearch.analysis.common.CommonAnalysisModulePlugin;
import org.opensearch.common.settings.Settings;
import org.opensearch.index.analysis.AnalyzerProvider;
import org.opensearch.index.analysis.PreBuiltAnalyzerProviderFactory;
import org.opensearch.index.analysis.PreConfiguredTokenizer;
import org.opensearch.index.analysis.TokenizerFactory;
import org.opensearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.PluginInfo;

/**
 * One OpenSearch node from the jars on the class path, on loopback, until it is told to stop.
 *
 * <p>Usage: {@code java -cp launcher:jars/* OpenSearchNode HOME HTTP_PORT}. HOME receives config/, data/ and
 * logs/. The server's distribution loads its modules from folders with a class loader each; here all of them
 * share the class path, which is why they are listed by name.
 */
public final class OpenSearchNode {
    /** What the platform uses: text analysis, scripts, geo, ingest pipelines, reindex, joins, extra mappings. */
    private static final List<String> MODULES = List.of(
        "org.opensearch.transport.Netty4ModulePlugin",
        "OpenSearchNode$AnalysisWithoutThai",
        "org.opensearch.painless.PainlessModulePlugin",
        "org.opensearch.script.expression.ExpressionModulePlugin",
        "org.opensearch.script.mustache.MustacheModulePlugin",
        "org.opensearch.index.mapper.MapperExtrasModulePlugin",
        "org.opensearch.geo.GeoModulePlugin",
        "org.opensearch.index.reindex.ReindexModulePlugin",
        "org.opensearch.join.ParentJoinModulePlugin",
        "org.opensearch.percolator.PercolatorModulePlugin",
        "org.opensearch.ingest.common.IngestCommonModulePlugin",
        "org.opensearch.search.aggregations.matrix.MatrixAggregationModulePlugin");

    /** Opens the constructor that takes modules from the class path. */
    private static final class ClassPathNode extends Node {
        ClassPathNode(Settings settings, Path config, List<PluginInfo> modules) {
            super(
                InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), config, () -> "alpr-1"),
                modules,
                true);
        }
    }

    /**
     * Text analysis as OpenSearch has it, less Thai: its word breaks come from the JRE's locale data, which small
     * JREs leave out, and a single analyzer that cannot be built makes every index creation fail.
     */
    public static final class AnalysisWithoutThai extends CommonAnalysisModulePlugin {
        private static final String THAI = "thai";

        @Override
        public Map<String, AnalysisProvider<AnalyzerProvider<? extends Analyzer>>> getAnalyzers() {
            Map<String, AnalysisProvider<AnalyzerProvider<? extends Analyzer>>> all = new TreeMap<>(super.getAnalyzers());
            all.remove(THAI);
            return all;
        }

        @Override
        public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
            Map<String, AnalysisProvider<TokenizerFactory>> all = new TreeMap<>(super.getTokenizers());
            all.remove(THAI);
            return all;
        }

        @Override
        public List<PreBuiltAnalyzerProviderFactory> getPreBuiltAnalyzerProviderFactories() {
            return super.getPreBuiltAnalyzerProviderFactories().stream()
                .filter(one -> !one.getName().equals(THAI)).toList();
        }

        @Override
        public List<PreConfiguredTokenizer> getPreConfiguredTokenizers() {
            return super.getPreConfiguredTokenizers().stream().filter(one -> !one.getName().equals(THAI)).toList();
        }
    }

    private OpenSearchNode() {}

    public static void main(String[] args) throws Exception {
        if (args.length != 2) {
            System.err.println("usage: OpenSearchNode HOME HTTP_PORT");
            System.exit(2);
        }
        Path home = Path.of(args[0]).toAbsolutePath();
        Path config = Files.createDirectories(home.resolve("config"));
        Settings settings = Settings.builder()
            .put("path.home", home.toString())
            .put("path.data", home.resolve("data").toString())
            .put("path.logs", home.resolve("logs").toString())
            .put("cluster.name", "alpr-local")
            .put("node.name", "alpr-1")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.port", args[1])
            .put("transport.port", "0")
            .put("transport.type", "netty4")
            .put("http.type", "netty4")
            .put("node.processors", 2)
            // a developer's disk is often fuller than the 90 % at which a cluster moves shards away
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .put("action.destructive_requires_name", true)
            .build();
        List<PluginInfo> modules = new ArrayList<>();
        for (String module : MODULES) {
            Class.forName(module); // a missing jar is reported here, by name
            modules.add(new PluginInfo(
                module, "on the class path", "NA", Version.CURRENT, "21", module, null, List.of(), false));
        }
        Node node = new ClassPathNode(settings, config, modules);
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception error) {
                error.printStackTrace();
            } finally {
                stopped.countDown();
            }
        }));
        node.start();
        System.out.println("listening on http://127.0.0.1:" + args[1]);
        stopped.await();
    }
}
