package workspace

import (
	"fmt"
	"net/http"

	"github.com/databricks/databricks-sdk-go/service/compute"
	"github.com/databricks/databricks-sdk-go/service/sql"

	"github.com/pinflow/pinflow/local/workspace/api"
)

// sparkVersions are the latest runtimes with long-term support, for each version of Scala. Compute
// settings are accepted and ignored; clients list the versions to choose one, and to test a
// connection.
var sparkVersions = []compute.SparkVersion{
	{Key: "17.3.x-scala2.13", Name: "17.3 LTS (includes Apache Spark 4.0.0, Scala 2.13)"},
	{Key: "16.4.x-scala2.12", Name: "16.4 LTS (includes Apache Spark 3.5.2, Scala 2.12)"},
}

func (s *Server) listSparkVersions(*http.Request) (any, error) {
	return compute.GetSparkVersionsResponse{Versions: sparkVersions}, nil
}

// warehouse returns the only SQL warehouse, which always runs.
func (s *Server) warehouse() sql.EndpointInfo {
	return sql.EndpointInfo{
		Id:            s.options.WarehouseID,
		Name:          s.options.WarehouseID,
		State:         sql.StateRunning,
		CreatorName:   api.UserName,
		ClusterSize:   "2X-Small",
		NumClusters:   1,
		WarehouseType: sql.EndpointInfoWarehouseTypePro,
		Health:        &sql.EndpointHealth{Status: sql.StatusHealthy},
		OdbcParams:    &sql.OdbcParams{Path: "/sql/1.0/warehouses/" + s.options.WarehouseID},
	}
}

func (s *Server) listWarehouses(*http.Request) (any, error) {
	return sql.ListWarehousesResponse{Warehouses: []sql.EndpointInfo{s.warehouse()}}, nil
}

func (s *Server) findWarehouse(r *http.Request) error {
	if id := r.PathValue("id"); id != s.options.WarehouseID {
		return &api.Error{Status: http.StatusNotFound, Code: "RESOURCE_DOES_NOT_EXIST", Message: fmt.Sprintf("SQL warehouse %s does not exist; this workspace has %s.", id, s.options.WarehouseID)}
	}
	return nil
}

func (s *Server) getWarehouse(r *http.Request) (any, error) {
	return s.warehouse(), s.findWarehouse(r)
}

func (s *Server) startWarehouse(r *http.Request) (any, error) {
	return struct{}{}, s.findWarehouse(r)
}

func (s *Server) stopWarehouse(r *http.Request) (any, error) {
	if err := s.findWarehouse(r); err != nil {
		return nil, err
	}
	return nil, &api.Error{Status: http.StatusBadRequest, Code: "INVALID_STATE", Message: "The SQL warehouse of this workspace always runs; stop the workspace instead."}
}
