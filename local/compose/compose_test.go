// Package compose checks docker-compose.yml with the loader that Docker Compose itself uses. No
// Docker engine is needed.
package compose

import (
	"bufio"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/joho/godotenv"
	"github.com/stretchr/testify/require"
)

const root = "../.."

func load(t *testing.T, env ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, cli.WithEnv(env), cli.WithWorkingDirectory(root))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

func TestCompose(t *testing.T) {
	t.Run("has_the_whole_system", func(t *testing.T) {
		project := load(t)
		require.ElementsMatch(t, []string{
			"postgresql", "temporal-schema", "temporal", "temporal-namespace", "temporal-ui", "kafka", "s3", "workspace", "setup", "worker", "gateway",
		}, project.ServiceNames())
		for name, service := range project.Services {
			if service.Build == nil {
				pinned := regexp.MustCompile(`:v?\d+\.\d+[\d.]*@sha256:[0-9a-f]{64}$`)
				if name == "temporal-ui" { // its digest is not known
					pinned = regexp.MustCompile(`:\d+\.\d+\.\d+$`)
				}
				require.Regexp(t, pinned, service.Image, name)
			}
		}
	})

	// A dependency with the condition "completed" on a service that never ends, or "healthy" on one
	// without a check, would wait for ever.
	t.Run("conditions_can_be_met", func(t *testing.T) {
		project := load(t)
		for name, service := range project.Services {
			for on, dependency := range service.DependsOn {
				target, ok := project.Services[on]
				require.True(t, ok, "%s depends on %s, which is not there", name, on)
				switch dependency.Condition {
				case types.ServiceConditionHealthy:
					require.NotNil(t, target.HealthCheck, "%s waits for the health of %s, which has no check", name, on)
				case types.ServiceConditionCompletedSuccessfully:
					require.NotEqual(t, "unless-stopped", target.Restart, "%s waits for the end of %s, which is started again and again", name, on)
				}
			}
		}
	})

	// What a program reads and its container does not get cannot be set; what it gets and does not
	// read may be a secret.
	t.Run("gives_each_program_the_settings_that_it_reads", func(t *testing.T) {
		documented, project := documented(t), load(t, everything(t)...)
		for service, program := range map[string]string{"worker": "./workers", "gateway": "./gateway", "setup": "./starter"} {
			require.Equal(t, readCode(t, program).settings(documented), variables(project, service), service)
		}
		source, err := os.ReadFile("../main.go")
		require.NoError(t, err)
		var reads []string
		for _, name := range workspaceReads.FindAllStringSubmatch(string(source), -1) {
			if name[1] != "PINFLOW_SPARK" && name[1] != "PINFLOW_EXIT_WITH_STDIN" { // the image has no Spark, and no parent
				reads = append(reads, name[1])
			}
		}
		require.ElementsMatch(t, reads, variables(project, "workspace"))
	})

	t.Run("takes_every_setting_of_the_user", func(t *testing.T) {
		fixed := []string{"PINFLOW_GATEWAY_ADDRESS", "PINFLOW_WORKER_ADDRESS", "PINFLOW_WORKER_STOP_TIMEOUT", "PINFLOW_GATEWAY_DRAIN_DELAY"}
		project := load(t, everything(t)...)
		for _, service := range []string{"setup", "worker", "gateway", "workspace"} {
			for name, value := range project.Services[service].Environment {
				require.NotNil(t, value, name)
				require.Equal(t, !slices.Contains(fixed, name), *value == "mine of "+name, "%s: %s=%s", service, name, *value)
			}
		}
	})

	// A container's 127.0.0.1 is the container itself.
	t.Run("a_copy_of_env_example_changes_no_address", func(t *testing.T) {
		copied, err := godotenv.Read(filepath.Join(root, ".env.example"))
		require.NoError(t, err)
		var env []string
		for name, value := range copied {
			env = append(env, name+"="+value)
		}
		bare, project := load(t), load(t, env...)
		for _, service := range []string{"setup", "worker", "gateway", "workspace"} {
			for name, value := range project.Services[service].Environment {
				if value == nil { // it is not set
					continue
				}
				require.NotContains(t, *value, "127.0.0.1", "%s: %s", service, name)
				if had := bare.Services[service].Environment[name]; had != nil && name != "PINFLOW_API_KEYS" { // which the user must fill in
					require.Equal(t, *had, *value, "%s: %s", service, name)
				}
			}
		}
	})

	t.Run("local_keys_can_be_emptied", func(t *testing.T) {
		project := load(t, "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_ENDPOINT_URL_S3=", "DATABRICKS_TOKEN=", "DATABRICKS_CLIENT_ID=id", "DATABRICKS_CLIENT_SECRET=hush")
		for _, service := range []string{"setup", "worker"} {
			environment := project.Services[service].Environment
			for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3", "DATABRICKS_TOKEN"} {
				require.Empty(t, *environment[name], "%s: %s", service, name)
			}
			require.Equal(t, "hush", *environment["DATABRICKS_CLIENT_SECRET"])
		}
	})

	// Temporal's SDK would take an empty key, or an empty path, for one.
	t.Run("passes_nothing_empty_on_that_is_not_set", func(t *testing.T) {
		project := load(t)
		for _, service := range []string{"setup", "worker"} {
			for name, value := range project.Services[service].Environment {
				require.True(t, value == nil || *value != "", "%s: %s", service, name)
			}
		}
	})

	t.Run("the_gateway_gets_credentials_of_aws_only_with_sasl", func(t *testing.T) {
		keys := []string{"AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=hush", "AWS_SESSION_TOKEN=token", "AWS_REGION=eu-west-1"}
		without, with := load(t, keys...), load(t, append(keys, "PINFLOW_KAFKA_SASL_MECHANISM=AWS_MSK_IAM")...)
		for _, key := range keys {
			name, value, _ := strings.Cut(key, "=")
			require.Empty(t, *without.Services["gateway"].Environment[name], name)
			require.Equal(t, value, *with.Services["gateway"].Environment[name])
		}
	})

	// Docker kills what has not ended by then.
	t.Run("waits_longer_than_programs_drain", func(t *testing.T) {
		project := load(t)
		grace := func(service string) time.Duration {
			require.NotNil(t, project.Services[service].StopGracePeriod, service)
			return time.Duration(*project.Services[service].StopGracePeriod)
		}
		stop, err := time.ParseDuration(*project.Services["worker"].Environment["PINFLOW_WORKER_STOP_TIMEOUT"])
		require.NoError(t, err)
		ship := time.Duration(readCode(t, "./workers").value("shipTimeout"))
		require.Greater(t, grace("worker"), stop+2*ship)
		delay, err := time.ParseDuration(*project.Services["gateway"].Environment["PINFLOW_GATEWAY_DRAIN_DELAY"])
		require.NoError(t, err)
		require.Greater(t, grace("gateway"), delay+time.Duration(readCode(t, "./gateway").value("drainTimeout")))
		require.Greater(t, grace("workspace"), 10*time.Second) // workspace.Options.DrainTimeout
	})

	t.Run("each_service_has_a_health_check_or_ends", func(t *testing.T) {
		project := load(t)
		for name, service := range project.Services {
			if strings.HasPrefix(name, "temporal-") && name != "temporal-ui" || name == "setup" {
				continue
			}
			require.NotNil(t, service.HealthCheck, name)
			if service.Build != nil { // an image without a shell
				require.Equal(t, "CMD", service.HealthCheck.Test[0], name)
				require.Contains(t, strings.Join(service.HealthCheck.Test, " "), "-health", name)
			}
		}
	})

	t.Run("own_services_are_restricted_and_not_root", func(t *testing.T) {
		for name, service := range load(t).Services {
			if service.Build == nil {
				continue
			}
			require.Empty(t, service.User, "%s: the image has its user", name)
			require.Equal(t, []string{"ALL"}, service.CapDrop, name)
			require.Equal(t, []string{"no-new-privileges:true"}, service.SecurityOpt, name)
		}
		dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
		require.NoError(t, err)
		require.NotRegexp(t, `(?m)^USER `, string(dockerfile))
		for _, from := range regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(string(dockerfile), -1) {
			if strings.Contains(from[1], "distroless") {
				require.Contains(t, from[1], ":nonroot@sha256:")
			}
		}
		require.Contains(t, string(dockerfile), "--chown=65532:65532 /out/data /data", "a new volume gets the owner of the image's directory")
	})

	t.Run("ports_are_on_loopback", func(t *testing.T) {
		for name, service := range load(t).Services {
			for _, port := range service.Ports {
				require.Equal(t, "127.0.0.1", port.HostIP, name)
			}
		}
	})

	// Every image of ours is a target of the Dockerfile.
	t.Run("builds_targets_that_exist", func(t *testing.T) {
		dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
		require.NoError(t, err)
		for name, service := range load(t).Services {
			if service.Build != nil {
				require.Regexp(t, `(?m) AS `+regexp.QuoteMeta(service.Build.Target)+`$`, string(dockerfile), name)
			}
		}
	})
}

// everything sets every variable to a value of its own.
func everything(t *testing.T) []string {
	t.Helper()
	var env []string
	for name := range documented(t) {
		env = append(env, name+"=mine of "+name)
	}
	return env
}

// variables are the names of the variables of a service.
func variables(project *types.Project, service string) []string {
	return slices.Sorted(maps.Keys(project.Services[service].Environment))
}

// documented are the variables of .env.example, also those that stand in a comment.
func documented(t *testing.T) map[string]bool {
	t.Helper()
	file, err := os.Open(filepath.Join(root, ".env.example"))
	require.NoError(t, err)
	defer file.Close()
	names := map[string]bool{}
	variable := regexp.MustCompile(`^(?:# )?([A-Z][A-Z0-9_]+)=`)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if found := variable.FindStringSubmatch(lines.Text()); found != nil {
			names[found[1]] = true
		}
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, names)
	return names
}
